/**
 * Those of eight characters or more that are tried first, as they appear at the head of published
 * lists of leaked passwords. No defence against a list of millions: that is what limits are for.
 */
const COMMON = new Set(
  `12345678 123456789 1234567890 12345678910 123123123 987654321 0987654321 11111111 00000000
  88888888 99999999 12341234 11223344 112233445566 87654321 147258369 123654789 789456123
  password password1 password12 password123 password1234 password! passw0rd p@ssw0rd p@ssword
  pass1234 passpass qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwer1234 1q2w3e4r
  1q2w3e4r5t 1qaz2wsx qazwsxedc zaq12wsx asdfghjk asdfghjkl asdf1234 zxcvbnm1 zxcvbnm123
  abcd1234 abc12345 abcdefgh abcdefg1 a1b2c3d4 aa123456 a1234567 a12345678 1234qwer 123qweasd
  iloveyou iloveyou1 iloveyou2 sunshine sunshine1 princess princess1 football football1
  baseball baseball1 basketball superman superman1 spiderman starwars pokemon1 minecraft
  minecraft1 minecraft123 computer internet whatever trustno1 letmein1 letmein123 welcome1
  welcome12 welcome123 changeme changeme1 changeme123 admin123 admin1234 administrator
  rootroot root1234 test1234 testtest guest123 default1 secret123 dragon123 monkey123 master123
  shadow12 michael1 jennifer jonathan samantha michelle victoria charlie1 liverpool chelsea1
  corvette mercedes hello123 hellohello google123 facebook1 freedom1 blink182 zerolaghub`
    .split(/\s+/)
    .filter(Boolean),
);

export const isCommon = (password: string): boolean => COMMON.has(password.toLowerCase());
