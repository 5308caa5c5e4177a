BEGIN TRANSACTION;
CREATE TABLE files (
    id integer primary key,
    path text not null, size integer not null, mtime_ns integer not null, inode integer not null,
    sha256 text, state text not null, reason text not null default '', tool text, findings integer,
    members text not null default '[]', staged text, delivery text, run_id text,
    origin text not null default 'inbox', first_seen text not null, updated_at text not null,
    unique (path, size, mtime_ns, inode, origin)
);
INSERT INTO "files" VALUES(1,'/home/dev/inbox/trivy.json',100,1700000000000000000,1000,'0000000000000000000000000000000000000000000000000000000000000000','accepted','waits for its delivery to close','trivy',2,'[{"path": "trivy.json", "verdict": "parsed", "tool": "trivy", "format": "json", "findings": 2, "reason": null}]','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',NULL,NULL,'inbox','2026-11-30T08:19:53.279Z','2026-11-30T08:19:53.279Z');
INSERT INTO "files" VALUES(2,'/home/dev/inbox/semgrep.json',101,1700000000000000001,1001,'1111111111111111111111111111111111111111111111111111111111111111','queued','in run webauthn-security-sequential-20261129_101500','semgrep',1,'[]',NULL,'dddddddddddddddddddddddddddddddd','webauthn-security-sequential-20261129_101500','inbox','2026-11-30T08:19:53.283Z','2026-11-30T08:19:53.283Z');
INSERT INTO "files" VALUES(3,'/home/dev/inbox/note.txt',102,1700000000000000002,1002,'2222222222222222222222222222222222222222222222222222222222222222','refused','not a report',NULL,NULL,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.286Z','2026-11-30T08:19:53.286Z');
INSERT INTO "files" VALUES(4,'/home/dev/inbox/again.json',103,1700000000000000003,1003,'1111111111111111111111111111111111111111111111111111111111111111','duplicate','same content as semgrep.json, in run webauthn-security-sequential-20261129_101500',NULL,NULL,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.291Z','2026-11-30T08:19:53.291Z');
INSERT INTO "files" VALUES(5,'/home/dev/inbox/empty.json',104,1700000000000000004,1004,'4444444444444444444444444444444444444444444444444444444444444444','nothing','a report without findings','osv',0,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.295Z','2026-11-30T08:19:53.295Z');
INSERT INTO "files" VALUES(6,'/home/dev/inbox/big.json',105,1700000000000000005,1005,NULL,'failed','the disk is full; will be tried again',NULL,NULL,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.299Z','2026-11-30T08:19:53.299Z');
INSERT INTO "files" VALUES(7,'/home/dev/inbox/half.json.part',106,1700000000000000006,1006,NULL,'settling','still being downloaded',NULL,NULL,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.304Z','2026-11-30T08:19:53.304Z');
INSERT INTO "files" VALUES(8,'/home/dev/inbox/left.json',107,1700000000000000007,1007,NULL,'gone','vanished before it was read',NULL,NULL,'[]',NULL,NULL,NULL,'inbox','2026-11-30T08:19:53.309Z','2026-11-30T08:19:53.314Z');
INSERT INTO "files" VALUES(9,'/home/dev/inbox/mine.json',108,1700000000000000008,1008,'8888888888888888888888888888888888888888888888888888888888888888','accepted','waits for its delivery to close','zap',3,'[]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',NULL,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','2026-11-30T08:19:53.317Z','2026-11-30T08:19:53.317Z');
CREATE TABLE findings (
    finding text not null, sha256 text not null, primary key (finding, sha256)
) without rowid
;
INSERT INTO "findings" VALUES('f1 published','1111111111111111111111111111111111111111111111111111111111111111');
INSERT INTO "findings" VALUES('f2 none','1111111111111111111111111111111111111111111111111111111111111111');
INSERT INTO "findings" VALUES('f3 none','0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE priorities (delivery text primary key, priority integer not null) without rowid
;
INSERT INTO "priorities" VALUES('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',10);
CREATE INDEX files_sha256 on files (sha256);
CREATE INDEX files_delivery on files (delivery);
COMMIT;
