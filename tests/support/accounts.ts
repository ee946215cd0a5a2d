/** The password of every account of the tests. */
export const PASSWORD = 'correct horse';

/** Of PASSWORD, at the lowest cost that there is: most tests sign in to test something else. */
export const PASSWORD_HASH =
  '$argon2id$v=19$m=8,t=1,p=1$0lN1KxCKJCM+jvvWDI/WkQ$/O6Wb4dvoqDJAu2ROfRx6GDvKYtQLRO1kFU7TlOrPJM';
