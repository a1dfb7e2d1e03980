-- Whether somebody was blocked by the Management API; NULL: as the bundle has it.
ALTER TABLE person ADD COLUMN blocked INTEGER CHECK (blocked IN (0, 1));
