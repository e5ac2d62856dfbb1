"""A small database as SQL: single, composite and self-referring keys, two keys to one table, hostile names."""

SHOP = """
CREATE TABLE region (code TEXT PRIMARY KEY, title TEXT);
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, home TEXT REFERENCES region(code),
    work TEXT REFERENCES region(code), referred_by INTEGER REFERENCES customer(id));
CREATE TABLE visit (customer INTEGER REFERENCES customer(id), day DATE, note TEXT, PRIMARY KEY (customer, day));
CREATE TABLE purchase (nr INTEGER PRIMARY KEY, customer INTEGER, day DATE, amount NUMERIC(10, 2),
    FOREIGN KEY (customer, day) REFERENCES visit(customer, day));
CREATE TABLE "odd ""name"" %s :x" ("a b" INTEGER, "=1+1" TEXT);
INSERT INTO region VALUES ('n', 'North'), ('s', 'South');
INSERT INTO customer VALUES (1, 'Ann', 'n', 's', NULL), (2, 'Bo', 's', 's', 1), (3, NULL, NULL, 'n', 1);
INSERT INTO visit VALUES (1, '2024-01-01', 'x'), (1, '2024-01-02', ''), (2, '2024-01-01', NULL);
INSERT INTO purchase VALUES (10, 1, '2024-01-01', 9.5), (11, 1, '2024-01-02', 1), (12, NULL, NULL, 7.25);
INSERT INTO "odd ""name"" %s :x" VALUES (1, '=2+2'), (2, '@x');
"""
TABLES = {"region": 2, "customer": 3, "visit": 3, "purchase": 3, 'odd "name" %s :x': 2}
PRIMARY = {"region": ("code",), "customer": ("id",), "visit": ("customer", "day"), "purchase": ("nr",)}
FOREIGN = {
    "customer(home) → region(code)",
    "customer(work) → region(code)",
    "customer(referred_by) → customer(id)",
    "visit(customer) → customer(id)",
    "purchase(customer, day) → visit(customer, day)",
}
