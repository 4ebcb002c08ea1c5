package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/notify"
)

// maxRoutes bounds a routes file and each file it names, in bytes.
const maxRoutes = 256 << 10

// loadRoutes reads a routes file and the files it names; relative paths are
// beside it. A password's file must be readable by its owner alone.
func loadRoutes(path string) (notify.Routes, []byte, error) {
	raw, err := readSmall(path)
	if err != nil {
		return notify.Routes{}, nil, badConfig("the routes file: %v", err)
	}
	c, err := notify.ParseRoutes(raw)
	if err != nil {
		return c, nil, badConfig("%s", message(err))
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Secret != "" || r.CA != "" {
			return c, nil, badConfig("route %s: a password belongs into password_file, a certificate into ca_file", r.Name)
		}
		file := beside(path, r.PasswordFile)
		info, err := os.Stat(file)
		if err != nil {
			return c, nil, badConfig("route %s: password_file: %v", r.Name, err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return c, nil, badConfig("route %s: others can read %s: chmod 600", r.Name, file)
		}
		secret, err := readSmall(file)
		if err != nil || len(secret) == 0 {
			return c, nil, badConfig("route %s: password_file is empty or cannot be read", r.Name)
		}
		r.Secret = string(secret)
		if r.CAFile != "" {
			ca, err := readSmall(beside(path, r.CAFile))
			if err != nil {
				return c, nil, badConfig("route %s: ca_file: %v", r.Name, err)
			}
			r.CA = string(ca)
		}
	}
	whole, err := json.Marshal(c)
	if err != nil {
		return c, nil, err
	}
	c, err = notify.ParseRoutes(whole)
	return c, whole, err
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRoutes {
		return nil, fmt.Errorf("%s is too large", path)
	}
	return os.ReadFile(path)
}

func beside(path, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// routesFile is an anonymous file with the routes and their secrets for the
// courier: its user may not read the operator's files, and nothing of them is on
// a command line, in an environment or on a disk.
func routesFile(whole []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("routes", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "routes")
	if _, err := f.Write(whole); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// inheritedRoutes reads what routesFile wrote; a courier that is started again
// inherits the same file, so it is read from its beginning.
func inheritedRoutes() (notify.Routes, error) {
	f, err := inherited("routes")
	if err != nil {
		return notify.Routes{}, err
	}
	raw := make([]byte, 4*maxRoutes)
	n, err := f.ReadAt(raw, 0)
	if n == 0 {
		return notify.Routes{}, err
	}
	return notify.ParseRoutes(raw[:n])
}

type courierCheckCmd struct {
	Routes string `required:"" help:"Routes file."`
}

// Run binds to each route's gateway, unbinds, and says what is wrong.
func (c *courierCheckCmd) Run() error {
	routes, _, err := loadRoutes(c.Routes)
	if err != nil {
		return err
	}
	router, err := notify.NewRouter(routes, logger("courier"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	results := router.Check(ctx)
	names, bad := []string{}, 0
	for name := range results {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := results[name]; err != nil {
			bad++
			fmt.Printf("route %s: %v\n", name, err)
			continue
		}
		fmt.Printf("route %s: bound and unbound\n", name)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d routes do not work", bad, len(names))
	}
	return nil
}

// messageWay is what the roles get for messages: the outbox page's listener for
// the vault, or the routes for the courier.
type messageWay struct {
	outbox bool
	file   *os.File
}

func (in *installation) messageWay() (messageWay, error) {
	if in.routes != nil {
		f, err := routesFile(in.routes)
		return messageWay{file: f}, err
	}
	f, err := in.outbox.(*net.TCPListener).File()
	return messageWay{outbox: true, file: f}, err
}
