/* Who ordered most since a day?  :since  a day, as 2026-01-01 */
SELECT customer,
       count(*) AS orders,
       sum(items) AS items,
       sum(total_cents) / 100.0 AS euros
  FROM order_totals
 WHERE ordered_at >= :since
 GROUP BY customer_id
 ORDER BY euros DESC, customer
