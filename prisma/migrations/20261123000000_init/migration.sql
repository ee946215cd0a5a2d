CREATE TYPE "role" AS ENUM ('user', 'admin');

-- The columns below `snapshot` are computed by the database from the actor's own state, so that
-- they can be queried and can never disagree with it.
CREATE TABLE "container_instance" (
    "id" TEXT NOT NULL,
    "vmid" INTEGER NOT NULL,
    "version" INTEGER NOT NULL,
    "machine_version" INTEGER NOT NULL,
    "snapshot" JSONB NOT NULL,
    "customer_id" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'customerId') STORED,
    "ctype" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'ctype') STORED,
    "hostname" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'hostname') STORED,
    "ip" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'ip') STORED,
    "node" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'node') STORED,
    "payload" JSONB GENERATED ALWAYS AS ("snapshot" -> 'context' -> 'payload') STORED,
    "engine_type" TEXT GENERATED ALWAYS AS ("snapshot" -> 'context' ->> 'engineType') STORED,
    "allocated_ports" JSONB GENERATED ALWAYS AS ("snapshot" -> 'context' -> 'allocatedPorts') STORED,
    "agent_state" TEXT GENERATED ALWAYS AS ("snapshot" -> 'value' ->> 'agent') STORED,
    "agent_last_seen" TIMESTAMPTZ(3) GENERATED ALWAYS AS (
        to_timestamp(("snapshot" -> 'context' -> 'agent' ->> 'lastSeenAt')::double precision / 1000)
    ) STORED,
    "crash_count" INTEGER GENERATED ALWAYS AS (
        ("snapshot" -> 'context' -> 'agent' ->> 'crashCount')::integer
    ) STORED,
    "last_crash_at" TIMESTAMPTZ(3) GENERATED ALWAYS AS (
        to_timestamp(("snapshot" -> 'context' -> 'agent' ->> 'lastCrashAt')::double precision / 1000)
    ) STORED,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "container_instance_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "container_instance_vmid_key" ON "container_instance"("vmid");
CREATE INDEX "container_instance_customer_id_idx" ON "container_instance"("customer_id");
-- Every step rewrites the row: room on the page keeps the update off the indexes.
ALTER TABLE "container_instance" SET (fillfactor = 50);

CREATE TABLE "journal" (
    "seq" BIGINT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "vmid" INTEGER NOT NULL,
    "version" INTEGER NOT NULL,
    "event_id" TEXT,
    "event" JSONB NOT NULL,
    "state" JSONB NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "journal_pkey" PRIMARY KEY ("seq")
);
CREATE UNIQUE INDEX "journal_instance_id_version_key" ON "journal"("instance_id", "version");
CREATE UNIQUE INDEX "journal_instance_id_event_id_key" ON "journal"("instance_id", "event_id");

CREATE TABLE "journal_head" (
    "id" INTEGER NOT NULL,
    "last_seq" BIGINT NOT NULL,
    CONSTRAINT "journal_head_pkey" PRIMARY KEY ("id")
);
INSERT INTO "journal_head" ("id", "last_seq") VALUES (1, 0);

CREATE TABLE "effect" (
    "key" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "params" JSONB NOT NULL,
    "lease_token" TEXT,
    "leased_until" TIMESTAMPTZ(3),
    "claims" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "effect_pkey" PRIMARY KEY ("key")
);
CREATE INDEX "effect_instance_id_idx" ON "effect"("instance_id");
CREATE INDEX "effect_created_at_idx" ON "effect"("created_at");

CREATE TABLE "timer" (
    "instance_id" TEXT NOT NULL,
    "timer_id" TEXT NOT NULL,
    "generation" INTEGER NOT NULL,
    "event" JSONB NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "timer_pkey" PRIMARY KEY ("instance_id", "timer_id")
);
CREATE INDEX "timer_due_at_idx" ON "timer"("due_at");

CREATE TABLE "idempotency_key" (
    "user_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "status" INTEGER NOT NULL,
    "response" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("user_id", "key")
);
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

CREATE TABLE "vmid_reservation" (
    "vmid" INTEGER NOT NULL,
    "instance_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "vmid_reservation_pkey" PRIMARY KEY ("vmid")
);
CREATE UNIQUE INDEX "vmid_reservation_instance_id_key" ON "vmid_reservation"("instance_id");

CREATE TABLE "vmid_counter" (
    "range" TEXT NOT NULL,
    "next" INTEGER NOT NULL,
    CONSTRAINT "vmid_counter_pkey" PRIMARY KEY ("range")
);

CREATE TABLE "deleted_instance" (
    "id" TEXT NOT NULL,
    "vmid" INTEGER NOT NULL,
    "customer_id" TEXT NOT NULL,
    "ctype" TEXT NOT NULL,
    "hostname" TEXT NOT NULL,
    "ip" TEXT,
    "node" TEXT,
    "payload" JSONB NOT NULL,
    "engine_type" TEXT,
    "allocated_ports" JSONB NOT NULL,
    "operation" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "deleted_instance_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "deleted_instance_vmid_idx" ON "deleted_instance"("vmid");
CREATE INDEX "deleted_instance_customer_id_idx" ON "deleted_instance"("customer_id");

CREATE TABLE "debt" (
    "id" TEXT NOT NULL DEFAULT gen_random_uuid(),
    "instance_id" TEXT NOT NULL,
    "vmid" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "tried_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "debt_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "debt_vmid_idx" ON "debt"("vmid");

CREATE TABLE "user" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "username" TEXT NOT NULL,
    "display_name" TEXT,
    "role" "role" NOT NULL DEFAULT 'user',
    "password_hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "user_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "user_email_key" ON "user"("email");
CREATE UNIQUE INDEX "user_username_key" ON "user"("username");
