/** What we write to people. It is put into words when it is sent. Times are ISO 8601. */
export type MailContent =
  /** To an address as it was given, of an account or not: only an account gets a link. */
  | { readonly kind: 'password_reset'; readonly params: Nothing }
  | { readonly kind: 'password_changed'; readonly params: Nothing }
  | {
      readonly kind: 'payment_failed';
      readonly params: {
        /** The `n`th of `total` reminders. */
        readonly n: number;
        readonly total: number;
        readonly suspendAt: string;
        readonly portalUrl?: string;
      };
    }
  | {
      readonly kind: 'suspended';
      /** `isEnded`: by its owner's will, not for want of a payment. */
      readonly params: { readonly keptUntil: string; readonly isEnded?: boolean };
    }
  | { readonly kind: 'restored'; readonly params: Nothing }
  | { readonly kind: 'trial_ending'; readonly params: { readonly trialEnd: string } }
  /** From a customer, to us. */
  | {
      readonly kind: 'support_request';
      readonly params: {
        readonly name: string;
        readonly email: string;
        readonly subject: string;
        readonly message: string;
      };
    };

type Nothing = Readonly<Record<string, never>>;

/** `key` stands for one request or event: it is mailed about once. */
export type MailOrder = MailContent & { readonly key: string; readonly recipient: string };
