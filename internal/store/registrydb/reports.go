package registrydb

import (
	"context"
	"database/sql"
	"encoding/json"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/statistics"
	"tikakosh/internal/store/sqldb"
)

var _ registry.ReportStore = (*Reports)(nil)

// reportName is the one report there is; its rows are in its bucket.
const reportName = "cells"

// Reports implements registry.ReportStore. Safe for concurrent use.
type Reports struct{ base }

// NewReports makes the storage of the dashboard's figures.
func NewReports(db sqldb.DB) *Reports { return &Reports{base{db}} }

// PutReport implements registry.ReportStore.
func (s *Reports) PutReport(ctx context.Context, p statistics.Published) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "report")
	}
	return s.update(ctx, "report", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO report (report, day, body, bucket) VALUES ($1, $2, $3, $4)
			ON CONFLICT (report, day, bucket) DO UPDATE SET body = excluded.body`, reportName, p.Day.String(), string(body), id.Bucket(reportName))
	})
}

// Reports implements registry.ReportStore.
func (s *Reports) Reports(ctx context.Context, until civil.Date) (last, before statistics.Published, err error) {
	var rows []statistics.Published
	err = s.view(ctx, "reports", func(tx sqldb.Tx) (err error) {
		rows, err = collect(ctx, tx, func(r *sql.Rows, p *statistics.Published) error {
			var body string
			if err := r.Scan(&body); err != nil {
				return err
			}
			if json.Unmarshal([]byte(body), p) != nil {
				return fault.New(fault.Integrity, "report", "a report is malformed")
			}
			return nil
		}, `SELECT body FROM report WHERE report = $1 AND day <= $2 AND bucket = $3 ORDER BY day DESC LIMIT 2`, reportName, until.String(), id.Bucket(reportName))
		return err
	})
	if len(rows) > 0 {
		last = rows[0]
	}
	if len(rows) > 1 {
		before = rows[1]
	}
	return last, before, err
}
