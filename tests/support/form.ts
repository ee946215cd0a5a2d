/** What a person does on a page: presses the button with this label. */
export async function press(url: string, label: string): Promise<Response> {
  const page = await (await fetch(url)).text();
  const forms = [...page.matchAll(/<form[^>]*action="([^"]*)">(.*?)<\/form>/gs)];
  const [, action = '', inside = ''] = forms.find(([form]) => form.includes(`>${label}<`)) ?? [];
  if (!action) throw new Error(`there is no button "${label}"`);
  const fields = [...inside.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(
    ([, name = '', value = '']): [string, string] => [name, value],
  );
  const body = new URLSearchParams(fields);
  return fetch(new URL(action, url), { method: 'POST', body, redirect: 'manual' });
}
