// Package size measures what one request costs, in processor time of the roles,
// with few people in the database and with many.
package size
