/** Where the form with this button leads, and what it sends. */
export async function formOf(url: string, label: string) {
  const page = await (await fetch(url)).text();
  const forms = [...page.matchAll(/<form[^>]*action="([^"]*)">(.*?)<\/form>/gs)];
  const [, action = '', inside = ''] = forms.find(([form]) => form.includes(`>${label}<`)) ?? [];
  if (!action) throw new Error(`there is no button "${label}"`);
  const inputs = [...inside.matchAll(/name="([^"]*)" value="([^"]*)"/g)];
  const fields = Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, value]));
  return { action: new URL(action, url).href, fields };
}

/** What a person does on a page: presses the button with this label. */
export async function press(url: string, label: string): Promise<Response> {
  const { action, fields } = await formOf(url, label);
  const body = new URLSearchParams(fields);
  return fetch(action, { method: 'POST', body, redirect: 'manual' });
}
