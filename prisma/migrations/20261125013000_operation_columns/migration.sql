-- Administrators look at the operations of all instances, the latest first. What they filter by is
-- generated, so it cannot disagree with the record; a step within an operation changes none of it.
ALTER TABLE "operation"
    ADD COLUMN "state" TEXT GENERATED ALWAYS AS ("record" ->> 'state') STORED,
    ADD COLUMN "kind" TEXT GENERATED ALWAYS AS ("record" ->> 'kind') STORED;
CREATE INDEX "operation_accepted_at_idx" ON "operation"("accepted_at");
CREATE INDEX "operation_state_accepted_at_idx" ON "operation"("state", "accepted_at");
CREATE INDEX "operation_kind_accepted_at_idx" ON "operation"("kind", "accepted_at");
CREATE INDEX "operation_vmid_accepted_at_idx" ON "operation"("vmid", "accepted_at");
