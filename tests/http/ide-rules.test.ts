import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { readConfig } from '../../src/config.ts';
import { confine, readOurs, setOurs, withoutOurs } from '../../src/http/ide/cookies.ts';
import { createExchanges } from '../../src/http/ide/exchanges.ts';
import { headersFromContainer } from '../../src/http/ide/from-container.ts';
import { renderPage } from '../../src/http/ide/page.ts';
import { createIdePlaces } from '../../src/http/ide/place.ts';
import { requireSameOrigin } from '../../src/http/ide/same-origin.ts';
import { headersToContainer } from '../../src/http/ide/to-container.ts';
import { onThisHost, takeTokens } from '../../src/http/ide/url-token.ts';

const TUNNEL = { prefix: '/__ide/6001' };
const HOSTED = { prefix: '' };

describe('our cookie', () => {
  test.each([
    [{ ...TUNNEL, isSecure: false }, 'zpack_ide=x; Path=/__ide/6001/; Max-Age=9; HttpOnly'],
    [{ ...TUNNEL, isSecure: true }, '__Secure-zpack_ide=x; Path=/__ide/6001/; Max-Age=9; HttpOnly'],
    [{ ...HOSTED, isSecure: false }, 'zpack_ide=x; Path=/; Max-Age=9; HttpOnly'],
    [{ ...HOSTED, isSecure: true }, '__Host-zpack_ide=x; Path=/; Max-Age=9; HttpOnly'],
  ])('is bound to its host and place (%o)', (options, expected) => {
    const secure = options.isSecure ? '; Secure' : '';
    expect(setOurs('x', 9, options)).toBe(`${expected}; SameSite=Lax${secure}`);
    expect(setOurs('x', 9, options)).not.toMatch(/domain/i);
  });

  test('is read among others, and never sent on under any of its names', () => {
    const header = 'a=1; zpack_ide=one; __Host-zpack_ide=two; Zpack_IDE=three; zpack_ide=four; b';

    expect(readOurs(header, { ...HOSTED, isSecure: false })).toEqual(['one', 'four']);
    expect(readOurs(header, { ...HOSTED, isSecure: true })).toEqual(['two']);
    expect(withoutOurs(header)).toBe('a=1; b');
    expect(withoutOurs('zpack_ide=x')).toBeUndefined();
    expect(withoutOurs(undefined)).toBeUndefined();
  });

  const spelled = fc
    .tuple(
      fc.constantFrom('', '__Host-', '__Secure-', '__HOST-', '__sEcUrE-'),
      fc.constantFrom('zpack_ide', 'ZPACK_IDE', 'Zpack_Ide'),
      fc.constantFrom('', ' ', '\t'),
    )
    .map(([prefix, name, space]) => `${space}${prefix}${name}${space}`);

  test('however it is spelled, a container neither sets nor hears it', () => {
    fc.assert(
      fc.property(spelled, fc.constantFrom(TUNNEL, HOSTED), fc.string(), (name, place, value) => {
        expect(confine(`${name}=${value.replaceAll(';', '')}; Path=/`, place)).toBeNull();
        expect(withoutOurs(`a=1; ${name}=${value.replaceAll(';', '')}; b=2`)).toBe('a=1; b=2');
      }),
    );
  });

  test.each([
    ['=zpack_ide=x', null],
    ['zpack_ide', null],
    ['', null],
    ['a=1', 'a=1; Path=/__ide/6001/'],
    ['a=1; path=/deep', 'a=1; Path=/__ide/6001/deep'],
    ['a=1; Domain=example.com; PATH=/; Path=elsewhere', 'a=1; Path=/__ide/6001/'],
    ['__Host-a=1; Secure; Path=/', '__Host-a=1; Secure; Path=/__ide/6001/'],
  ])('of a container: %s', (given, expected) => {
    expect(confine(given, TUNNEL)).toBe(expected);
  });
});

describe('a place', () => {
  const places = createIdePlaces({
    ...{ publicUrl: 'https://api.example:8443', hostSuffix: 'ide.example', returnsHosted: true },
  });
  const at = (host: string, url: string) => places.find({ url, headers: { host } });

  test.each([
    ['api.example', '/__ide/6001/a?b=c', { vmid: 6001, prefix: '/__ide/6001', path: '/a?b=c' }],
    ['api.example', '/__ide/6001', { vmid: 6001, prefix: '/__ide/6001', path: '' }],
    ['api.example', '/__ide/6001?x', { vmid: 6001, prefix: '/__ide/6001', path: '?x' }],
    ['api.example', '/__ide/6001x/', 'nowhere'],
    ['api.example', '/__ide/%36001/', 'nowhere'],
    ['api.example', '/__ide/06001/', 'nowhere'],
    ['api.example', '/__ide', 'nowhere'],
    ['api.example', '/__idea', null],
    ['api.example', 'http://x/__ide/6001/', null],
    ['dev-6001.ide.example', '/api/health', { vmid: 6001, prefix: '', path: '/api/health' }],
    ['DEV-6001.IDE.EXAMPLE.:80', '/', { vmid: 6001, prefix: '', path: '/' }],
    ['dev-6001.ide.example', '*', 'nowhere'],
    ['dev-6001.ide.example', '//', 'nowhere'],
    ['dev-6001.ideXexample', '/', null],
    ['dev-6001.ide.example.evil', '/', null],
    ['a.dev-6001.ide.example', '/', null],
    ['dev-6001.ide.example\n', '/', null],
  ])('%s %s', (host, url, expected) => {
    expect(at(host, url)).toEqual(expected);
  });

  test('is where a link leads, whichever way is configured', () => {
    const other = { publicUrl: undefined, hostSuffix: undefined, returnsHosted: false };

    expect(places.urlOf(6001, 't', { host: 'x', isForeign: false })).toBe(
      'https://dev-6001.ide.example:8443/?token=t',
    );
    expect(createIdePlaces(other).urlOf(6001, 't', { host: 'here:1', isForeign: false })).toBe(
      'http://here:1/__ide/6001/?token=t',
    );
  });

  test('leads to names only if there are any, and says so at the start', () => {
    expect(() => readConfig({ DEV_IDE_RETURN_HOSTED_URL: 'true' })).toThrow(
      /DEV_IDE_HOST_SUFFIX|DATABASE_URL/,
    );
  });
});

describe('a URL', () => {
  const ours = `x.${Buffer.from('{"aud":"zpack:ide"}').toString('base64url')}.x`;

  test.each([
    [`/?token=${ours}`, '/', 1],
    [`/?a=1&token=${ours}&b=%20`, '/?a=1&b=%20', 1],
    [`/?%74oken=${ours}&token=${ours}`, '/', 2],
    ['/?token=theirs&x', '/?token=theirs&x', 0],
    ['/?token', '/?token', 0],
    ['/?', '/?', 0],
  ])('%s', (url, path, count) => {
    const taken = takeTokens(url);
    expect([taken.path, taken.tokens.length]).toEqual([path, count]);
  });

  test('stays on its host', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(onThisHost(`/${text}`)).toMatch(/^\/(?![/\\])/);
      }),
    );
  });
});

describe('what is between two neighbours', () => {
  test('goes no further, and what frames a message is never among it', () => {
    const sent = headersToContainer(
      {
        ...{ host: 'h', connection: 'keep-alive, X-Hop, Content-Length, Host', 'x-hop': '1' },
        ...{ te: 'trailers', 'content-length': '3', 'x-forwarded-for': '1', 'cf-ray': '1' },
      },
      { isSecure: true, isUpgrade: false },
    );

    expect(sent).toEqual({
      ...{ host: 'h', 'content-length': '3' },
      ...{ 'x-forwarded-host': 'h', 'x-forwarded-proto': 'https' },
    });
  });

  test('what is for one person is kept by nobody in between', () => {
    const place = { vmid: 6001, path: '/', ...HOSTED };
    const common = { place, target: '10.0.0.1:8080', host: 'h', framers: [], cookie: null };
    const headers = { 'cache-control': 'public, max-age=9, s-maxage=9' };

    expect(headersFromContainer(headers, { ...common, isUpgrade: false })).toEqual({
      ...{ 'cache-control': 'private, max-age=9' },
      'content-security-policy': "frame-ancestors 'self'",
    });
  });
});

describe('what is on its way', () => {
  test('is bounded for one container, one account and for all, and gives its place back', () => {
    const principal = { role: 'user', credentialId: 's', scopes: null } as const;
    const ended: number[] = [];
    const closing = new AbortController();
    const exchanges = createExchanges({
      limits: { perContainer: 2, perAccount: 3, perNode: 4 },
      findRoles: async () => new Map(),
      fleet: { get: () => undefined },
      now: () => 0,
      closing: closing.signal,
    });
    const enter = (vmid: number, userId = 'u') =>
      exchanges.enter({
        ...{ principal: { ...principal, userId }, vmid, instanceId: 'i' },
        end: () => void ended.push(vmid),
      });

    const leave = enter(1);
    const others = [enter(1)];
    expect(() => enter(1)).toThrow('2 connections of container 1');
    others.push(enter(2));
    expect(() => enter(3)).toThrow('3 connections of account u');
    others.push(enter(3, 'v'));
    expect(() => enter(4, 'v')).toThrow('4 connections of all containers');
    leave();
    leave();
    others.push(enter(4));
    expect(exchanges.count()).toBe(4);
    closing.abort();
    expect(ended).toEqual([1, 2, 3, 4]);
    for (const other of others) other();
    expect(exchanges.count()).toBe(0);
  });
});

describe('an origin', () => {
  const allows = (headers: Record<string, string>, isSecure = false, method = 'POST') => {
    try {
      requireSameOrigin({ method, headers }, { isSecure, isUpgrade: false });
      return true;
    } catch {
      return false;
    }
  };

  test.each<[Record<string, string>, boolean, boolean]>([
    [{ host: 'h', origin: 'http://h' }, false, true],
    [{ host: 'h:443', origin: 'https://h' }, true, true],
    [{ host: 'H', origin: 'https://h' }, true, true],
    [{ host: 'h', origin: 'http://h' }, true, false],
    [{ host: 'h', origin: 'http://h:81' }, false, false],
    [{ host: 'h', origin: 'http://h/' }, false, false],
    [{ host: 'h', origin: 'http://a@h' }, false, false],
    [{ host: 'h', origin: 'null' }, false, false],
    [{ host: 'h' }, false, false],
    [{ host: '', origin: 'http://' }, false, false],
  ])('%o, secure: %s', (headers, isSecure, expected) => {
    expect(allows(headers, isSecure)).toBe(expected);
  });

  test('is no matter for whoever just looks', () => {
    expect(allows({ host: 'h' }, false, 'GET')).toBe(true);
  });
});

test('a page shows what it is given and nothing of it is markup', () => {
  const page = renderPage({ title: '<b>', text: '"&\'', code: '<i>' });

  expect(page).not.toMatch(/<b>|<i>/);
  expect(page).toContain('&quot;&amp;&#39;');
});
