-- Every operation of an instance, written by the step that begins, moves or ends it.
CREATE TABLE "operation" (
    "id" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "vmid" INTEGER NOT NULL,
    "record" JSONB NOT NULL,
    "accepted_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "operation_pkey" PRIMARY KEY ("instance_id", "id")
);
CREATE INDEX "operation_instance_id_accepted_at_idx" ON "operation"("instance_id", "accepted_at");
