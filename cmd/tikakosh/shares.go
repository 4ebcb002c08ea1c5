package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault/custody"
)

// maxShareText bounds a share as it is offered, in bytes.
const maxShareText = 512

func (l layout) sharesSocket() string { return filepath.Join(l.vault(), "shares.sock") }

// waitForShares serves the private socket that shares are offered on until enough
// of them have opened the keys.
func waitForShares(ctx context.Context, l layout, waits func(), log *slog.Logger) (custody.Provider, error) {
	c, err := custody.NewCollector(l.keys())
	if fault.Is(err, fault.Integrity) || errors.Is(err, fs.ErrNotExist) {
		return nil, badConfig("the keys are not in shares: run `tikakosh keys split` before the first start (%s)", message(err))
	}
	if err != nil {
		return nil, err
	}
	if err := os.Remove(l.sharesSocket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ln, err := listenPrivate(ctx, l.sharesSocket())
	if err != nil {
		return nil, err
	}
	opened := make(chan struct{}, 1)
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: offerHandler(c, log, func() {
		select {
		case opened <- struct{}{}:
		default:
		}
	})}
	go func() { _ = srv.Serve(ln) }() // ends with Close
	_, need := c.Waiting()
	waits()
	log.Warn("the vault waits for its key's shares: tikakosh keys offer --data "+l.root, "alarm", "key-shares", "wanted", need)
	select {
	case <-ctx.Done():
	case <-opened:
	}
	end, done := context.WithTimeout(context.Background(), time.Second) // the last answer goes out
	defer done()
	_ = srv.Shutdown(end)
	_ = os.Remove(l.sharesSocket())
	if p := c.Opened(); p != nil {
		return p, nil
	}
	return nil, ctx.Err()
}

type offered struct {
	Have, Need int
	Kind       fault.Kind `json:",omitempty"`
	Text       string     `json:",omitempty"`
}

func offerHandler(c *custody.Collector, log *slog.Logger, opened func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxShareText))
		var a offered
		if err == nil {
			a.Have, a.Need, err = c.Offer(string(raw))
		}
		clear(raw)
		if err != nil {
			a.Kind, a.Text = fault.KindOf(err), message(err)
			log.Warn("a share was refused", "why", a.Text)
		} else {
			log.Info("a share was given", "have", a.Have, "wanted", a.Need)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a)
		if c.Opened() != nil {
			opened()
		}
	})
}

// listenPrivate listens on a socket file that only its owner can reach.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	var lc net.ListenConfig
	return lc.Listen(ctx, "unix", path)
}

type keysSplitCmd struct {
	Data   string `required:"" help:"Data folder; made when missing. A running installation is stopped first."`
	Need   int    `required:"" help:"How many shares are needed at each start."`
	Shares int    `required:"" help:"How many shares there are."`
}

// Run implements the command: it prints each share once and keeps none.
func (c *keysSplitCmd) Run() error {
	l := layout{c.Data}
	for _, dir := range []string{l.root, l.vault()} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	if err := os.Chmod(l.vault(), 0o700); err != nil {
		return err
	}
	lock, err := lockFile(l.vaultLock())
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := custody.Split(l.keys(), c.Need, c.Shares, func(shares []string) error {
		for i, s := range shares {
			if _, err := fmt.Printf("share %d of %d, any %d start the vault:\n  %s\n", i+1, len(shares), c.Need, s); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	fmt.Println("Give each to another person. They are kept nowhere else; start with --keys shares.")
	return giveTo(l.vault(), l.keys(), l.vaultLock())
}

// giveTo gives what root made to the owner of a folder.
func giveTo(folder string, paths ...string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	for _, p := range paths {
		if err := filepath.WalkDir(p, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(owner.Uid), int(owner.Gid))
		}); err != nil {
			return err
		}
	}
	return nil
}

type keysOfferCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the installation that waits."`
}

// Run implements the command: one share, from the terminal or standard input,
// never from the command line.
func (c *keysOfferCmd) Run() error {
	share, err := askSecret("share: ")
	if err != nil {
		if share, err = bufio.NewReaderSize(os.Stdin, maxShareText).ReadBytes('\n'); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	defer clear(share)
	path := layout{c.Data}.sharesSocket()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://vault/", bytes.NewReader(share))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no vault waits for shares at %s (is it started with --keys shares, and are you root or the vault's user?)", path)
	}
	defer res.Body.Close()
	var a offered
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return fmt.Errorf("the vault gave no answer: %w", err)
	}
	if a.Kind != "" {
		return fault.New(fault.Unavailable, "share", a.Text)
	}
	if a.Have >= a.Need {
		fmt.Printf("%d of %d shares: the vault has its keys\n", a.Have, a.Need)
		return nil
	}
	fmt.Printf("%d of %d shares\n", a.Have, a.Need)
	return nil
}

// askShares opens the keys for a command that runs beside the vault: the shares
// are asked for again, for the vault gives nobody its keys.
func askShares(l layout) (custody.Provider, error) {
	c, err := custody.NewCollector(l.keys())
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReaderSize(os.Stdin, maxShareText)
	for c.Opened() == nil {
		have, need := c.Waiting()
		share, err := askSecret(fmt.Sprintf("share (%d of %d are there): ", have, need))
		if err != nil {
			if share, err = lines.ReadBytes('\n'); err != nil && len(share) == 0 {
				return nil, badConfig("this command needs %d shares, one a line on standard input", need)
			}
		}
		if _, _, err := c.Offer(string(share)); err != nil {
			return nil, err
		}
		clear(share)
	}
	return c.Opened(), supervise.Harden(supervise.HardenOpts{NewPrivileges: true})
}
