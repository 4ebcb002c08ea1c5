package main

import (
	"context"
	"fmt"
	"strings"

	"tikakosh/internal/store/sqldb"
)

// A PostgreSQL server that counts its statements, for -statements.
const (
	counting    = "shared_preload_libraries=pg_stat_statements"
	countingSQL = "CREATE EXTENSION pg_stat_statements"
)

// count starts counting the server's statements of a phase; the result prints how
// often each ran for one request, and the server's time in it.
func (e *engine) count(ctx context.Context, name string) (stop func(requests int) error, err error) {
	if e == nil || e.counter == nil {
		return func(int) error { return nil }, nil
	}
	err = e.counter.View(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_stat_statements_reset() IS NULL")
		return err
	})
	return func(requests int) error {
		return e.counter.View(ctx, func(tx sqldb.Tx) error {
			rows, err := tx.Query(ctx, `SELECT CAST(s.calls AS BIGINT), CAST(1000 * (s.total_exec_time + s.total_plan_time) AS BIGINT), CAST(d.datname AS TEXT), CAST(s.query AS TEXT)
				FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname <> $1 ORDER BY s.calls DESC LIMIT 60`, e.counted)
			if err != nil {
				return err
			}
			defer rows.Close()
			fmt.Printf("\n%s: statements of one request, µs inside them\n", name)
			sum := 0.0
			for rows.Next() {
				var calls, micros int64
				var db, text string
				if err := rows.Scan(&calls, &micros, &db, &text); err != nil {
					return err
				}
				n := float64(calls) / float64(requests)
				sum += n
				text = strings.Join(strings.Fields(text), " ")
				fmt.Printf("%7.2f %7.0f  %-8.8s %.150s\n", n, float64(micros)/float64(requests), db, text)
			}
			fmt.Printf("%7.2f together\n", sum)
			return rows.Err()
		})
	}, err
}
