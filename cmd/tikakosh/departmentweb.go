package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"tikakosh/internal/access/department"
	"tikakosh/internal/access/exchange"
	"tikakosh/internal/portal/staff"
	"tikakosh/internal/vault"
)

// newDirectory is the web role's list of departments, with the secrets that run handed
// over, if it did.
func newDirectory(v *vault.Client, now func() time.Time, log *slog.Logger) (*exchange.Directory, error) {
	secrets := map[string]exchange.Secret{}
	if f, ok := inheritedIf("secrets"); ok {
		raw := make([]byte, department.MaxConfig)
		n, err := f.ReadAt(raw, 0) // a web role that is started again reads it again
		if n == 0 {
			return nil, err
		}
		if secrets, err = exchange.ParseSecrets(raw[:n]); err != nil {
			return nil, err
		}
	}
	return exchange.NewDirectory(func(ctx context.Context) ([]exchange.Provider, error) {
		got, err := v.Departments(ctx)
		var out []exchange.Provider
		for _, d := range got.List {
			out = append(out, exchange.Provider(d))
		}
		return out, err
	}, exchange.New(secrets, now), now, log), nil
}

// shownDepartments are the buttons of the staff client.
func shownDepartments(d *exchange.Directory) func(context.Context) []staff.Department {
	return func(ctx context.Context) []staff.Department {
		out := []staff.Department{}
		for _, p := range d.Known(ctx) {
			out = append(out, staff.Department{ID: p.ID, Names: p.Names})
		}
		return out
	}
}

// secretsFile is an anonymous file with the clients' secrets, for the web role alone:
// its user may not read the operator's file.
func (in *installation) secretsFile(names []string, files []*os.File) ([]string, []*os.File, error) {
	path := in.flags.DepartmentSecrets
	if path == "" {
		return names, files, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return names, files, badConfig("--department-secrets: %v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return names, files, badConfig("--department-secrets: others can read %s: chmod 600", path)
	}
	raw, err := readSmall(path)
	if err != nil {
		return names, files, badConfig("--department-secrets: %v", err)
	}
	if _, err := exchange.ParseSecrets(raw); err != nil {
		return names, files, badConfig("--department-secrets: %s", message(err))
	}
	f, err := routesFile(raw)
	if err != nil {
		return names, files, err
	}
	return append(names, "secrets"), append(files, f), nil
}
