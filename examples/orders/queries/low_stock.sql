/* What runs out?  :at_most  products with this much stock or less */
SELECT products.sku,
       products.name,
       products.stock,
       coalesce(sum(order_lines.quantity), 0) AS ordered_ever
  FROM products
  LEFT JOIN order_lines ON order_lines.product_id = products.id
 WHERE products.stock <= :at_most
 GROUP BY products.id
 ORDER BY products.stock, ordered_ever DESC
