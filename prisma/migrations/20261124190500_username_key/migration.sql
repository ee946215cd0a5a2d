-- Two names that differ by case alone are one name.
ALTER TABLE "user" ADD COLUMN "username_key" TEXT GENERATED ALWAYS AS (lower("username")) STORED;
CREATE UNIQUE INDEX "user_username_key_key" ON "user"("username_key");
