ALTER TABLE "user"
    ADD COLUMN "first_name" TEXT,
    ADD COLUMN "last_name" TEXT,
    ADD COLUMN "stripe_customer_id" TEXT,
    ADD COLUMN "mail_bounced_at" TIMESTAMPTZ(3);
CREATE UNIQUE INDEX "user_stripe_customer_id_key" ON "user"("stripe_customer_id");

CREATE TABLE "session" (
    "id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_for" TEXT,
    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "session_user_id_idx" ON "session"("user_id");
CREATE INDEX "session_expires_at_idx" ON "session"("expires_at");

CREATE TABLE "refresh_token" (
    "hash" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "used_at" TIMESTAMPTZ(3),
    CONSTRAINT "refresh_token_pkey" PRIMARY KEY ("hash")
);
CREATE INDEX "refresh_token_session_id_idx" ON "refresh_token"("session_id");

CREATE TABLE "password_reset" (
    "hash" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    CONSTRAINT "password_reset_pkey" PRIMARY KEY ("hash")
);
CREATE INDEX "password_reset_user_id_idx" ON "password_reset"("user_id");
CREATE INDEX "password_reset_expires_at_idx" ON "password_reset"("expires_at");

CREATE TABLE "api_token" (
    "id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "scopes" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "api_token_hash_key" ON "api_token"("hash");
CREATE INDEX "api_token_user_id_idx" ON "api_token"("user_id");

CREATE TABLE "audit_entry" (
    "id" TEXT NOT NULL DEFAULT gen_random_uuid(),
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor_id" TEXT,
    "subject_id" TEXT,
    "action" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "ip" TEXT,
    "detail" JSONB NOT NULL,
    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "audit_entry_subject_id_at_idx" ON "audit_entry"("subject_id", "at");
CREATE INDEX "audit_entry_at_idx" ON "audit_entry"("at");

CREATE TABLE "mail" (
    "id" TEXT NOT NULL DEFAULT gen_random_uuid(),
    "key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "recipient" TEXT NOT NULL,
    "params" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "transport" TEXT,
    "message_id" TEXT,
    "error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "leased_until" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    CONSTRAINT "mail_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "mail_key_key" ON "mail"("key");
CREATE INDEX "mail_state_due_at_idx" ON "mail"("state", "due_at");
CREATE INDEX "mail_recipient_idx" ON "mail"("recipient");

CREATE TABLE "plan" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "slots" INTEGER NOT NULL,
    "memory_mib" INTEGER NOT NULL,
    "price_cents" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "stripe_price_id" TEXT,
    "position" INTEGER NOT NULL,
    "is_default" BOOLEAN NOT NULL DEFAULT false,
    CONSTRAINT "plan_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "plan_stripe_price_id_key" ON "plan"("stripe_price_id");
CREATE UNIQUE INDEX "plan_position_key" ON "plan"("position");

CREATE TABLE "subscription" (
    "id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "machine_version" INTEGER NOT NULL,
    "snapshot" JSONB NOT NULL,
    "status" TEXT GENERATED ALWAYS AS ("snapshot" -> 'value' ->> 'standing') STORED,
    "plan_id" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' -> 'observed' ->> 'planId') STORED,
    "stripe_subscription_id" TEXT GENERATED ALWAYS AS (
        "snapshot" -> 'context' -> 'observed' ->> 'subscriptionId'
    ) STORED,
    "period_end" TIMESTAMPTZ(3) GENERATED ALWAYS AS (
        to_timestamp(("snapshot" -> 'context' -> 'observed' ->> 'periodEnd')::double precision / 1000)
    ) STORED,
    "suspended_at" TIMESTAMPTZ(3) GENERATED ALWAYS AS (
        to_timestamp(("snapshot" -> 'context' ->> 'suspendedAt')::double precision / 1000)
    ) STORED,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "subscription_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "subscription_user_id_key" ON "subscription"("user_id");
CREATE INDEX "subscription_status_idx" ON "subscription"("status");

CREATE TABLE "subscription_journal" (
    "instance_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "event_id" TEXT NOT NULL,
    "event" JSONB NOT NULL,
    "state" JSONB NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "subscription_journal_pkey" PRIMARY KEY ("instance_id", "version")
);
CREATE UNIQUE INDEX "subscription_journal_instance_id_event_id_key"
    ON "subscription_journal"("instance_id", "event_id");

CREATE TABLE "stripe_event" (
    "id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "customer_id" TEXT,
    "payload" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "processed_at" TIMESTAMPTZ(3),
    CONSTRAINT "stripe_event_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "stripe_event_state_received_at_idx" ON "stripe_event"("state", "received_at");

CREATE TABLE "billing_run" (
    "id" TEXT NOT NULL DEFAULT gen_random_uuid(),
    "kind" TEXT NOT NULL,
    "lease_token" TEXT NOT NULL,
    "leased_until" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "result" JSONB,
    CONSTRAINT "billing_run_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "billing_run_kind_started_at_idx" ON "billing_run"("kind", "started_at");
