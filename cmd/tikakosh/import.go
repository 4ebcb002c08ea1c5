package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/scheduling/sheet"
	registrymigrations "tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

type importCmd struct {
	Centres  importCentresCmd  `cmd:"" help:"Add or change centres."`
	Sessions importSessionsCmd `cmd:"" help:"Add or change session days of centres."`
	Columns  importColumnsCmd  `cmd:"" default:"withargs" help:"List the columns of both files."`
}

// importFlags are shared by both files.
type importFlags struct {
	File    string `arg:"" help:"CSV file in UTF-8, or - for standard input."`
	Data    string `required:"" type:"existingdir" help:"Data folder of the installation, running or stopped."`
	Preview bool   `help:"Only say what would be done (the default)."`
	Apply   bool   `help:"Write; without it nothing is written."`
	SkipBad bool   `help:"Write the good rows although others are wrong."`
	DB      string `name:"db" env:"TIKAKOSH_DB" help:"Registry database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
}

type importCentresCmd struct{ importFlags }

type importSessionsCmd struct {
	importFlags
	ClockFile string `hidden:""`
}

type importColumnsCmd struct {
	Columns bool `help:"List the columns (also without this flag)."`
}

// Run implements the command.
func (importColumnsCmd) Run() error {
	for _, f := range []struct {
		name    string
		columns []sheet.Column
	}{{"centres", sheet.CentreColumns()}, {"sessions", sheet.SessionColumns()}} {
		fmt.Printf("%s: CSV in UTF-8, the first line names the columns, in any order\n", f.name)
		for _, c := range f.columns {
			need := "needed  "
			if c.Optional {
				need = "optional"
			}
			fmt.Printf("  %-15s %s  %s\n", c.Name, need, c.Wants)
		}
	}
	return nil
}

// Run implements the command.
func (c *importCentresCmd) Run() error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	where, err := places.Load()
	if err != nil {
		return err
	}
	file, err := sheet.ReadCentres(raw, where)
	if err != nil {
		return err
	}
	ctx := context.Background()
	reg, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer reg.db.Close()
	known, err := reg.centres(ctx)
	if err != nil {
		return err
	}
	rep := report{flags: c.importFlags, total: file.Total, problems: file.Problems}
	var todo []scheduling.Centre
	for _, row := range file.Rows {
		old, there := known[row.Centre.ID]
		changes := row.Changes(old)
		if rep.note(row.Line, fmt.Sprintf("centre %d", row.Centre.ID), there, changes) {
			todo = append(todo, row.Over(old))
		}
	}
	return rep.end(os.Stdout, func() error { return reg.write(ctx, singly(todo), nil) })
}

// Run implements the command.
func (c *importSessionsCmd) Run() error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(sheet.DefaultZone)
	if err != nil {
		return err
	}
	ctx := context.Background()
	reg, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer reg.db.Close()
	known, err := reg.centres(ctx)
	if err != nil {
		return err
	}
	today := civil.Of(clock(c.ClockFile)().In(zone))
	file, err := sheet.ReadSessions(raw, today, func(n id.Centre) (scheduling.Centre, bool) { v, ok := known[n]; return v, ok })
	if err != nil {
		return err
	}
	have, err := reg.sessions(ctx, file.Rows)
	if err != nil {
		return err
	}
	rep := report{flags: c.importFlags, total: file.Total, problems: file.Problems}
	var todo []scheduling.Session
	for _, row := range file.Rows {
		old, there := have[row.Session.ID]
		var changes []string
		if there {
			var refused string
			if changes, refused = row.Check(old); refused != "" {
				rep.problems = append(rep.problems, sheet.Problem{Line: row.Line, Wants: refused})
				continue
			}
			rep.warn(row.Line, row.BelowTaken(old))
		} else if row.Session.Day.Before(today) {
			rep.warn(row.Line, fmt.Sprintf("the day %s is over: nobody can book", row.Session.Day))
		}
		if rep.note(row.Line, fmt.Sprintf("session %s (centre %d, %s, %s)", row.Session.ID, row.Session.Centre, row.Session.Day, row.Session.Product), there, changes) {
			todo = append(todo, row.Over(old))
		}
	}
	return rep.end(os.Stdout, func() error { return reg.write(ctx, nil, byCentre(todo)) })
}

// read reads the file before the command gives up its rights.
func (f *importFlags) read() ([]byte, error) {
	if f.Apply && f.Preview {
		return nil, badConfig("--preview and --apply exclude each other")
	}
	in := os.Stdin
	if f.File != "-" {
		var err error
		if in, err = os.Open(f.File); err != nil {
			return nil, err
		}
		defer in.Close()
	}
	return io.ReadAll(io.LimitReader(in, sheet.MaxFile+1))
}

// registryFile is the registry database as an operator's command reaches it.
type registryFile struct {
	db      sqldb.DB
	scatter *registrydb.Scatter
	rows    *registrydb.Bookings
	service *scheduling.Service
}

// open opens the registry as the user who owns it: the web role's, whose database
// it is. Started as root the process becomes that user for good, so that it can
// reach neither the vault's folder nor anything else of root's.
func (f *importFlags) open(ctx context.Context) (*registryFile, error) {
	url, err := databaseURL(f.DB)
	if err != nil {
		return nil, err
	}
	db, err := f.database(ctx, url)
	if err != nil {
		return nil, err
	}
	r := &registryFile{db: db, scatter: registrydb.NewScatter(db), rows: registrydb.NewBookings(db)}
	// No vault and no records: adding places needs neither.
	log := logger("import")
	r.service = scheduling.New(r.rows, nil, nil, scheduling.NewAvailability(r.scatter, searchDays, time.Now, log), time.Now, log)
	return r, nil
}

// database opens PostgreSQL, or the file as its user.
func (f *importFlags) database(ctx context.Context, url string) (sqldb.DB, error) {
	if url != "" {
		return openPostgres(ctx, url, postgres.Options{Name: "import", ReadOnly: !f.Apply, Connections: 4}, checkRegistry)
	}
	path := layout{f.Data}.registryDB()
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, badConfig("there is no registry in %s yet: start `tikakosh run` with this folder once; if the registry is in PostgreSQL, name it with --db", f.Data)
	}
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && st.Uid != 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(int(st.Gid)), syscall.Setuid(int(st.Uid))); err != nil {
			return nil, fmt.Errorf("become the registry's user: %w", err)
		}
	}
	syscall.Umask(0o007)
	log := logger("import")
	db, err := sqlite.Open(ctx, path, sqlite.Options{ReadOnly: !f.Apply, Logger: log, FileMode: 0o660})
	if err != nil {
		return nil, err
	}
	if f.Apply {
		if err := sqlite.Migrate(ctx, db, registrymigrations.SQLite); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// page is how many rows one read across buckets brings.
const page = 1000

func (r *registryFile) centres(ctx context.Context) (map[id.Centre]scheduling.Centre, error) {
	out := map[id.Centre]scheduling.Centre{}
	for after := id.Centre(0); ; {
		list, err := r.scatter.Centres(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			out[c.ID], after = c, c.ID
		}
		if len(list) < page {
			return out, nil
		}
	}
}

// sessions finds what the registry has under the rows' ids.
func (r *registryFile) sessions(ctx context.Context, rows []sheet.SessionRow) (map[id.Session]scheduling.Session, error) {
	out := map[id.Session]scheduling.Session{}
	if len(rows) == 0 {
		return out, nil
	}
	first, last := rows[0].Session.Day, rows[0].Session.Day
	for _, v := range rows {
		if v.Session.Day.Before(first) {
			first = v.Session.Day
		}
		if v.Session.Day.After(last) {
			last = v.Session.Day
		}
	}
	for cursor, more := (scheduling.Session{}), true; more; {
		list, err := r.scatter.Sessions(ctx, first, last, cursor, page)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			out[s.ID], cursor = s, s
		}
		more = len(list) == page
	}
	for _, v := range rows { // one that stood on another day
		if _, there := out[v.Session.ID]; there || !v.Own {
			continue
		}
		s, err := r.rows.Session(ctx, v.Session.ID)
		if err == nil {
			out[s.ID] = s
		} else if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	return out, nil
}

func singly[T any](list []T) (out [][]T) {
	for _, v := range list {
		out = append(out, []T{v})
	}
	return out
}

// byCentre divides sessions by centre, in order of their first appearance.
func byCentre(list []scheduling.Session) (out [][]scheduling.Session) {
	at := map[id.Centre]int{}
	for _, s := range list {
		i, ok := at[s.Centre]
		if !ok {
			i = len(out)
			at[s.Centre] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

// importWriters write at the same time, so that their transactions share syncs.
const importWriters = 64

// write adds centres, then sessions. It may be repeated: what is there already
// stays or is replaced by the same.
func (r *registryFile) write(ctx context.Context, centres [][]scheduling.Centre, sessions [][]scheduling.Session) error {
	if err := together(centres, func(c []scheduling.Centre) error { return r.service.AddCentres(ctx, c) }); err != nil {
		return err
	}
	return together(sessions, func(s []scheduling.Session) error { return r.service.AddSessions(ctx, s) })
}

// together runs fn over the items, several at once, and stops at the first
// error.
func together[T any](items []T, fn func(T) error) error {
	work := make(chan T)
	stop := make(chan struct{})
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for range importWriters {
		wg.Go(func() {
			for v := range work {
				if err := fn(v); err != nil {
					once.Do(func() { first = err; close(stop) })
				}
			}
		})
	}
feed:
	for _, v := range items {
		select {
		case work <- v:
		case <-stop:
			break feed
		}
	}
	close(work)
	wg.Wait()
	return first
}

// shown bounds how many lines of one kind a report prints.
const shown = 50

// report is what an import tells.
type report struct {
	flags                   importFlags
	total                   int
	added, changed, same    int
	problems                []sheet.Problem
	warnings, news, details []string
}

// note counts a good row and reports whether it has to be written.
func (r *report) note(line int, what string, there bool, changes []string) bool {
	switch {
	case !there:
		r.added++
		r.news = append(r.news, fmt.Sprintf("line %d: %s is new", line, what))
	case len(changes) > 0:
		r.changed++
		r.details = append(r.details, fmt.Sprintf("line %d: %s changes: %s", line, what, strings.Join(changes, ", ")))
	default:
		r.same++
		return false
	}
	return true
}

func (r *report) warn(line int, text string) {
	if text != "" {
		r.warnings = append(r.warnings, fmt.Sprintf("line %d: %s", line, text))
	}
}

// end prints the report and writes, unless it may not.
func (r *report) end(out io.Writer, write func() error) error {
	lines := func(mark string, list []string) {
		for _, l := range list[:min(len(list), shown)] {
			fmt.Fprintf(out, "%s  %s\n", mark, l)
		}
		if more := len(list) - shown; more > 0 {
			fmt.Fprintf(out, "%s  … and %d more\n", mark, more)
		}
	}
	wrong := map[int]bool{}
	var errs []string
	for _, p := range r.problems {
		wrong[p.Line] = true
		errs = append(errs, p.String())
	}
	lines("new    ", r.news)
	lines("change ", r.details)
	lines("warning", r.warnings)
	lines("wrong  ", errs)
	fmt.Fprintf(out, "%d rows: %d new, %d changed, %d unchanged, %d wrong\n", r.total, r.added, r.changed, r.same, len(wrong))
	switch bad := len(wrong) > 0 && !r.flags.SkipBad; {
	case bad:
		fmt.Fprintln(out, "nothing was written")
		return errors.New("rows are wrong; mend them, or leave them out with --skip-bad")
	case !r.flags.Apply:
		fmt.Fprintln(out, "preview: nothing was written; --apply writes")
		return nil
	}
	if err := write(); err != nil {
		return fmt.Errorf("the import broke off; repeat it, what was written stays: %w", err)
	}
	fmt.Fprintf(out, "written: %d\n", r.added+r.changed)
	return nil
}
