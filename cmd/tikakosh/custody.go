package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"tikakosh/internal/fault"
	"tikakosh/internal/ipc"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault/custody"
)

// custodyFlags say where the keys are that wrap all others.
type custodyFlags struct {
	Keys       string `default:"file" help:"Key custody: file, shares, pkcs11:token=LABEL?module-path=FILE&pin-source=FILE, or transit:https://HOST/MOUNT?role-id-file=FILE&secret-id-file=FILE (docs/KEYS.md)."`
	HSMProgram string `name:"hsm-program" help:"The program that talks to the token; default: tikakosh-hsm beside this one."`
}

// pinVariable may hold the token's PIN for `run` and `ledger audit`; it is not
// handed on to the roles.
const pinVariable = "TIKAKOSH_KEYS_PIN"

const customPINLength = 200

func (f custodyFlags) custodyKind() string {
	kind, _ := custody.Kind(f.Keys) // wrong ones are refused where custody is opened
	return kind
}

func (f custodyFlags) hsmProgram() (string, error) {
	path := f.HSMProgram
	if path == "" {
		own, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(own), "tikakosh-hsm")
	}
	if _, err := os.Stat(path); err != nil {
		return "", badConfig("--keys pkcs11 needs the program tikakosh-hsm (%v); CGO_ENABLED=1 go build ./cmd/tikakosh-hsm makes it, --hsm-program names it", err)
	}
	return path, nil
}

// provider opens custody for a process that holds the other end of the
// custodian's socket, where there is one. With create, keys that do not exist
// are made.
func (f custodyFlags) provider(l layout, hsm *os.File, create bool) (custody.Provider, error) {
	kind, err := custody.Kind(f.Keys)
	if err != nil {
		return nil, badConfig("%s", message(err))
	}
	switch kind {
	case custody.KindFile:
		return custody.OpenFile(l.keys(), create)
	case custody.KindPKCS11:
		return custody.NewRemote(ipc.HTTPClient(ipc.NewDialer(hsm), 0), create)
	}
	where, err := custody.ParseTransit(f.Keys)
	if err != nil {
		return nil, badConfig("%s", message(err))
	}
	return custody.OpenTransit(where, create)
}

// tokenPIN reads the PIN: from the file that the URI names, the environment, or
// the terminal; never from a command line.
func tokenPIN(where custody.PKCS11) ([]byte, error) {
	if where.PINSource != "" {
		info, err := os.Stat(where.PINSource)
		if err != nil {
			return nil, badConfig("the PIN's file: %v", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return nil, badConfig("the PIN's file %s is open to others (mode %04o): chmod 600 it", where.PINSource, info.Mode().Perm())
		}
		raw, err := os.ReadFile(where.PINSource)
		if err != nil {
			return nil, badConfig("the PIN's file: %v", err)
		}
		return checkPIN(raw)
	}
	if pin := os.Getenv(pinVariable); pin != "" {
		return checkPIN([]byte(pin))
	}
	raw, err := askSecret("PIN of the token: ")
	if err != nil {
		return nil, badConfig("no PIN: give pin-source=FILE in --keys, %s in the environment, or start on a terminal", pinVariable)
	}
	return checkPIN(raw)
}

func checkPIN(raw []byte) ([]byte, error) {
	pin := bytes.TrimRight(raw, "\r\n")
	if len(pin) == 0 || len(pin) > customPINLength {
		return nil, badConfig("the PIN is empty or longer than %d characters", customPINLength)
	}
	return pin, nil
}

// askSecret asks on the terminal, without showing what is typed.
func askSecret(prompt string) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, errors.New("not a terminal")
	}
	fmt.Fprint(os.Stderr, prompt)
	raw, err := term.ReadPassword(fd)
	fmt.Fprintln(os.Stderr)
	return raw, err
}

// secretFile is an anonymous file with a secret for a role: on no command line,
// in no environment, on no disk.
func secretFile(name string, secret []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(secret); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// hsmRole is the process that talks to the token, and the vault's end of its
// socket; no role for custody without one.
func (in *installation) hsmRole() (role []supervise.Role, vaultEnd *os.File, files []*os.File, err error) {
	if !strings.HasPrefix(in.flags.Keys, custody.KindPKCS11+":") {
		return nil, nil, nil, nil
	}
	r, end, files, err := hsmProcess(in.flags.custodyFlags)
	if err != nil {
		return nil, nil, files, err
	}
	who := in.ids("hsm")
	r.Separate, r.UID, r.GID = in.separate, who.uid, who.gid
	return []supervise.Role{r}, end, files, nil
}

func hsmProcess(f custodyFlags) (r supervise.Role, vaultEnd *os.File, files []*os.File, err error) {
	where, err := custody.ParsePKCS11(f.Keys)
	if err != nil {
		return r, nil, nil, badConfig("%s", message(err))
	}
	program, err := f.hsmProgram()
	if err != nil {
		return r, nil, nil, err
	}
	pin, err := tokenPIN(where)
	if err != nil {
		return r, nil, nil, err
	}
	pinFile, err := secretFile("pin", pin)
	clear(pin)
	if err != nil {
		return r, nil, nil, err
	}
	client, server, err := ipc.Pair()
	if err != nil {
		return r, nil, []*os.File{pinFile}, err
	}
	// The makers' libraries are set up by variables of their own.
	env := []string{fdsVariable + "=" + fdList([]string{"hsm", "pin"})}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TIKAKOSH_") {
			env = append(env, v)
		}
	}
	return supervise.Role{Name: "hsm", Program: program, Args: []string{f.Keys}, Env: env, Files: []*os.File{server, pinFile}},
		client, []*os.File{client, server, pinFile}, nil
}

// auditCustody opens custody for a command that runs beside the vault or
// without it. With a token it runs the token's program for as long as it lasts.
func (f custodyFlags) auditCustody(l layout) (p custody.Provider, done func(), err error) {
	if f.Keys == custody.KindShares {
		p, err = askShares(l)
		return p, func() {}, err
	}
	if !strings.HasPrefix(f.Keys, custody.KindPKCS11+":") {
		p, err = f.provider(l, nil, false)
		return p, func() {}, err
	}
	r, end, files, err := hsmProcess(f)
	done = func() {
		for _, file := range files {
			_ = file.Close()
		}
	}
	if err != nil {
		return nil, done, err
	}
	alive, keep, err := os.Pipe() // closes when this command ends
	if err != nil {
		return nil, done, err
	}
	files = append(files, alive, keep)
	cmd := exec.Command(r.Program, r.Args...) //nolint:noctx // it ends with this process
	cmd.Env = append(r.Env, fmt.Sprintf("%s=%d", supervise.ParentVariable, 3+len(r.Files)))
	cmd.ExtraFiles = append(append([]*os.File{}, r.Files...), alive)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := supervise.StartUnprivileged(cmd); err != nil {
		return nil, done, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	closeFiles := done
	done = func() { _ = cmd.Process.Kill(); <-ended; closeFiles() }
	type opened struct {
		p   custody.Provider
		err error
	}
	open := make(chan opened, 1)
	go func() { p, err := f.provider(l, end, false); open <- opened{p, err} }()
	select {
	case o := <-open:
		return o.p, done, o.err
	case <-ended:
		return nil, done, fault.Newf(fault.Unavailable, "key-custody", "the token's program ended: %s", strings.TrimSpace(said.String()))
	}
}
