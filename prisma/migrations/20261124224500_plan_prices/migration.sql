-- A price of Stripe never changes: a plan that costs something else has another one, and whoever
-- bought it before goes on with the first.
CREATE TABLE "plan_price" (
    "id" TEXT NOT NULL,
    "plan_id" TEXT NOT NULL,
    CONSTRAINT "plan_price_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "plan_price_plan_id_idx" ON "plan_price"("plan_id");
INSERT INTO "plan_price" ("id", "plan_id")
SELECT "stripe_price_id", "id" FROM "plan" WHERE "stripe_price_id" IS NOT NULL;

-- What came back is found by what took it.
CREATE INDEX "mail_transport_message_id_idx" ON "mail"("transport", "message_id");
CREATE INDEX "subscription_journal_at_idx" ON "subscription_journal"("at");
