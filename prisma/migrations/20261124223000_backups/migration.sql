-- CreateTable
CREATE TABLE "backup" (
    "instance_id" TEXT NOT NULL,
    "backup_id" TEXT NOT NULL,
    "name" TEXT,
    "size_bytes" BIGINT,
    "sha256" TEXT,
    "made_at" TIMESTAMPTZ(3),
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "missing_at" TIMESTAMPTZ(3),
    "verified_at" TIMESTAMPTZ(3),
    "damaged_at" TIMESTAMPTZ(3),
    "locked_at" TIMESTAMPTZ(3),
    "locked_by" TEXT,
    "deleting_by" TEXT,

    CONSTRAINT "backup_pkey" PRIMARY KEY ("instance_id","backup_id")
);

-- CreateTable
CREATE TABLE "backup_policy" (
    "instance_id" TEXT NOT NULL,
    "cron" TEXT,
    "timezone" TEXT NOT NULL,
    "misfire" TEXT NOT NULL,
    "keep_count" INTEGER,
    "keep_days" INTEGER,
    "next_due_at" TIMESTAMPTZ(3),
    "retained_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "backup_policy_pkey" PRIMARY KEY ("instance_id")
);

-- CreateTable
CREATE TABLE "backup_run" (
    "instance_id" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT NOT NULL,
    "reason" TEXT,
    "operation_id" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "backup_run_pkey" PRIMARY KEY ("instance_id","due_at")
);

-- CreateIndex
CREATE INDEX "backup_policy_next_due_at_idx" ON "backup_policy"("next_due_at");

-- They go with their instance.
ALTER TABLE "backup" ADD CONSTRAINT "backup_instance" FOREIGN KEY ("instance_id")
  REFERENCES "container_instance"("id") ON DELETE CASCADE;
ALTER TABLE "backup_policy" ADD CONSTRAINT "backup_policy_instance" FOREIGN KEY ("instance_id")
  REFERENCES "container_instance"("id") ON DELETE CASCADE;
ALTER TABLE "backup_run" ADD CONSTRAINT "backup_run_instance" FOREIGN KEY ("instance_id")
  REFERENCES "container_instance"("id") ON DELETE CASCADE;
