/* Which open orders are older than a day?  :before  a day, as 2026-03-01 */
SELECT id AS number,
       customer,
       date(ordered_at) AS ordered_on,
       items,
       total_cents / 100.0 AS euros
  FROM order_totals
 WHERE status = 'open'
   AND ordered_at < :before
 ORDER BY ordered_at
