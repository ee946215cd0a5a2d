-- AlterTable
ALTER TABLE "debt" ADD COLUMN     "subject" JSONB;

-- CreateTable
CREATE TABLE "edge_port" (
    "protocol" TEXT NOT NULL,
    "port" INTEGER NOT NULL,
    "instance_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "edge_port_pkey" PRIMARY KEY ("protocol","port")
);

-- CreateIndex
CREATE UNIQUE INDEX "edge_port_instance_id_key" ON "edge_port"("instance_id");

-- A state is written anew at every step: compressing it each time costs more than the room it saves.
ALTER TABLE "container_instance" SET (toast_tuple_target = 8160);
