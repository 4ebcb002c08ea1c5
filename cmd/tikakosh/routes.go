package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"

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
		if r.Secret, r.CA, err = routeFiles(path, r.Name, r.PasswordFile, r.CAFile, r.Secret+r.CA); err != nil {
			return c, nil, err
		}
	}
	for i := range c.Email {
		r := &c.Email[i]
		if r.Secret, r.CA, err = routeFiles(path, r.Name, r.PasswordFile, r.CAFile, r.Secret+r.CA); err != nil {
			return c, nil, err
		}
	}
	whole, err := json.Marshal(c)
	if err != nil {
		return c, nil, err
	}
	c, err = notify.ParseRoutes(whole)
	return c, whole, err
}

// routeFiles reads a route's password and CA; inline is what the routes file
// itself holds of them, which is nothing.
func routeFiles(path, name, passwordFile, caFile, inline string) (secret, ca string, err error) {
	if inline != "" {
		return "", "", badConfig("route %s: a password belongs into password_file, a certificate into ca_file", name)
	}
	if passwordFile != "" {
		file := beside(path, passwordFile)
		info, err := os.Stat(file)
		if err != nil {
			return "", "", badConfig("route %s: password_file: %v", name, err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return "", "", badConfig("route %s: others can read %s: chmod 600", name, file)
		}
		raw, err := readSmall(file)
		if err != nil || len(raw) == 0 {
			return "", "", badConfig("route %s: password_file is empty or cannot be read", name)
		}
		secret = string(raw)
	}
	if caFile != "" {
		raw, err := readSmall(beside(path, caFile))
		if err != nil {
			return "", "", badConfig("route %s: ca_file: %v", name, err)
		}
		ca = string(raw)
	}
	return secret, ca, nil
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
