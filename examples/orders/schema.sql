-- The entities of the module, for an empty SQLite database: four tables, one view, and rows to start with.
-- Money is in euro cents. Moments are UTC, as 2026-03-02T09:15:00Z.

CREATE TABLE customers (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 120),
  city  TEXT NOT NULL CHECK (length(city) BETWEEN 1 AND 80)
) STRICT;

CREATE TABLE products (
  id           INTEGER PRIMARY KEY,
  sku          TEXT NOT NULL UNIQUE CHECK (length(sku) BETWEEN 1 AND 20),
  name         TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  price_cents  INTEGER NOT NULL CHECK (price_cents BETWEEN 0 AND 10000000),
  stock        INTEGER NOT NULL CHECK (stock >= 0)  -- what may still be ordered
) STRICT;

-- An order is open until it is shipped. AUTOINCREMENT: the number of a deleted order is never given again.
CREATE TABLE orders (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id  INTEGER NOT NULL REFERENCES customers (id),
  ordered_at   TEXT NOT NULL CHECK (ordered_at IS strftime('%Y-%m-%dT%H:%M:%SZ', ordered_at)),
  shipped_at   TEXT CHECK (shipped_at IS strftime('%Y-%m-%dT%H:%M:%SZ', shipped_at) AND shipped_at >= ordered_at)
) STRICT;

CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_moment ON orders (ordered_at);

-- A line keeps the price that was agreed: a product may cost something else by now.
CREATE TABLE order_lines (
  order_id          INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  product_id        INTEGER NOT NULL REFERENCES products (id),
  quantity          INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
  unit_price_cents  INTEGER NOT NULL CHECK (unit_price_cents >= 0),
  PRIMARY KEY (order_id, product_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_lines_by_product ON order_lines (product_id);

CREATE VIEW order_totals AS
SELECT orders.id,
       customers.id AS customer_id,
       customers.name AS customer,
       iif(orders.shipped_at IS NULL, 'open', 'shipped') AS status,
       orders.ordered_at,
       orders.shipped_at,
       sum(order_lines.quantity) AS items,
       sum(order_lines.quantity * order_lines.unit_price_cents) AS total_cents
  FROM orders
  JOIN customers ON customers.id = orders.customer_id
  JOIN order_lines ON order_lines.order_id = orders.id
 GROUP BY orders.id;

INSERT INTO customers (id, name, city) VALUES
  (1, 'Aldgate Bakery', 'London'),
  (2, 'Café Lumière', 'Lyon'),
  (3, 'Hotel Sonnenhof', 'Salzburg'),
  (4, 'Mercado do Bolhão', 'Porto'),
  (5, 'Noordzee Catering', 'Oostende');

INSERT INTO products (id, sku, name, price_cents, stock) VALUES
  (1, 'CUP-S', 'Espresso cup', 650, 240),
  (2, 'CUP-L', 'Cappuccino cup', 890, 180),
  (3, 'GRD-01', 'Burr grinder', 18900, 12),
  (4, 'KTL-02', 'Gooseneck kettle', 7450, 20),
  (5, 'BNS-1K', 'House blend, 1 kg', 2180, 400),
  (6, 'FLT-100', 'Paper filters, 100', 520, 3),
  (7, 'MCH-2G', 'Espresso machine, two groups', 489000, 0);

INSERT INTO orders (id, customer_id, ordered_at, shipped_at) VALUES
  (1001, 1, '2026-01-12T08:40:00Z', '2026-01-13T14:05:00Z'),
  (1002, 3, '2026-01-20T10:02:00Z', '2026-01-22T09:30:00Z'),
  (1003, 2, '2026-02-03T16:25:00Z', '2026-02-04T11:00:00Z'),
  (1004, 5, '2026-02-17T07:55:00Z', NULL),
  (1005, 1, '2026-03-02T09:15:00Z', NULL),
  (1006, 4, '2026-03-05T13:48:00Z', NULL);

INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) VALUES
  (1001, 1, 48, 620),
  (1001, 5, 10, 2180),
  (1002, 7, 1, 475000),
  (1002, 2, 60, 890),
  (1002, 1, 60, 650),
  (1003, 3, 1, 18900),
  (1003, 5, 4, 2180),
  (1004, 5, 30, 2090),
  (1005, 6, 12, 520),
  (1005, 5, 8, 2180),
  (1006, 4, 2, 7450),
  (1006, 3, 1, 18900);
