/** Ways in which the IDE of a container may be hostile. */
export const IDE_HOSTILITIES = [
  ...(['cookies', 'redirect', 'huge_headers', 'slow_headers', 'slow_body', 'silent'] as const),
  ...(['garbage', 'cut', 'twice', 'wrong_accept', 'upgrade_cookies'] as const),
] as const;
export type IdeHostility = (typeof IDE_HOSTILITIES)[number];
