-- A copy of what `snapshot` held made rows so large that two did not fit on a page: no update was
-- HOT, and every step wrote the payload twice, though most do not change it. The column keeps its
-- values and becomes the only place that has them.
ALTER TABLE "container_instance" ALTER COLUMN "payload" DROP EXPRESSION;

-- Half a page: then the next version of a row fits beside it. What is too much goes out of line,
-- and that is to be the payload, which a step that does not change it need not write again. All
-- else is MAIN: written out of line, it would be written out of line by every step.
ALTER TABLE "container_instance"
    ALTER COLUMN "payload" SET STORAGE EXTERNAL,
    ALTER COLUMN "id" SET STORAGE MAIN,
    ALTER COLUMN "snapshot" SET STORAGE MAIN,
    ALTER COLUMN "customer_id" SET STORAGE MAIN,
    ALTER COLUMN "ctype" SET STORAGE MAIN,
    ALTER COLUMN "hostname" SET STORAGE MAIN,
    ALTER COLUMN "ip" SET STORAGE MAIN,
    ALTER COLUMN "node" SET STORAGE MAIN,
    ALTER COLUMN "engine_type" SET STORAGE MAIN,
    ALTER COLUMN "allocated_ports" SET STORAGE MAIN,
    ALTER COLUMN "agent_state" SET STORAGE MAIN,
    SET (toast_tuple_target = 3500);

UPDATE "container_instance" SET "snapshot" = "snapshot" #- '{context,payload}';

-- A release of before that still runs would write it there, where nobody reads it any more.
ALTER TABLE "container_instance" ADD CONSTRAINT "container_instance_payload_apart"
    CHECK ("snapshot" #> '{context,payload}' IS NULL);

-- A record is written again by later steps of its operation.
ALTER TABLE "operation" SET (fillfactor = 80);
