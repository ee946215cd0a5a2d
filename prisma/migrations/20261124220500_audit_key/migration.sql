-- What a worker writes down may be written twice; under its key it is there once.
ALTER TABLE "audit_entry" ADD COLUMN "key" TEXT;
CREATE UNIQUE INDEX "audit_entry_key_key" ON "audit_entry"("key");
