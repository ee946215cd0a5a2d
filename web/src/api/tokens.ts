/**
 * The access token lives in memory only, and ends with the page. The refresh token survives a
 * reload in this tab, and no other one sees it.
 */
const KEY = 'zpack.refresh';

let accessToken: string | null = null;

export const tokens = {
  access: (): string | null => accessToken,
  refresh: (): string | null => sessionStorage.getItem(KEY),
  keep(session: { readonly accessToken: string; readonly refreshToken: string }): void {
    accessToken = session.accessToken;
    sessionStorage.setItem(KEY, session.refreshToken);
  },
  forget(): void {
    accessToken = null;
    sessionStorage.removeItem(KEY);
  },
};
