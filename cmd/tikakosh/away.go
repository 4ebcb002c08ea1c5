package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/patience"
)

// vaultAway shows whether the vault answers this role.
func (o *observed) vaultAway(w *patience.Way) {
	o.set.Gauge("tikakosh_vault_silent", "1 while the vault answers nothing, so that what needs it is refused at once.", func() float64 {
		if w.Away() {
			return 1
		}
		return 0
	})
}

// lastKeys is where the web role keeps the vault's public keys for a start while
// the vault waits or is away.
func (l layout) lastKeys() string { return filepath.Join(l.registry(), "public-keys.json") }

// firstKeys are the vault's public keys, or those of the last time; none when the
// vault has never been seen. Whatever is missing comes by itself later.
func firstKeys(ctx context.Context, v *vault.Client, l layout, log *slog.Logger) (vault.Keys, error) {
	keys, err := v.Keys(ctx)
	if err == nil {
		saveKeys(l, keys, log)
		return keys, nil
	}
	if !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) {
		return keys, err
	}
	log.Warn("the vault does not serve yet: what needs no person is served meanwhile", "code", fault.CodeOf(err))
	last, err := keptKeys(l)
	if err != nil {
		return vault.Keys{}, nil //nolint:nilerr // without them less is served, for a while
	}
	return last, nil
}

// keptKeys reads the keys of the last time. The folder is the worker's too: whoever
// put another file there could have doses sealed to a key of their own, so that only
// one that this user alone may write counts.
func keptKeys(l layout) (keys vault.Keys, err error) {
	f, err := os.OpenFile(l.lastKeys(), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return keys, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return keys, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || int(st.Uid) != os.Geteuid() {
		return keys, fault.New(fault.Forbidden, "keys", "the kept public keys are not this user's own")
	}
	raw, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err == nil {
		err = json.Unmarshal(raw, &keys)
	}
	if err == nil && (len(keys.Inbox) == 0 || len(keys.BearerJWK)+len(keys.Bearers) == 0) {
		err = fault.New(fault.Invalid, "keys", "the kept public keys are not whole")
	}
	return keys, err
}

// saveKeys keeps them for the next start. They are public; that they cannot be
// kept is no reason not to serve.
func saveKeys(l layout, keys vault.Keys, log *slog.Logger) {
	raw, err := json.Marshal(keys)
	if err != nil {
		return
	}
	if have, err := readSmall(l.lastKeys()); err == nil && bytes.Equal(have, raw) {
		return
	}
	tmp, err := os.CreateTemp(l.registry(), "public-keys-*")
	if err == nil {
		_, err = tmp.Write(raw)
		if cerr := tmp.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(tmp.Name(), l.lastKeys())
		}
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}
	if err != nil {
		log.Warn("the vault's public keys cannot be kept for the next start", "error", err.Error())
	}
}

// keepingKeys asks for the keys and keeps them whenever they changed.
func keepingKeys(ask func(context.Context) (vault.Keys, error), have vault.Keys, l layout, log *slog.Logger) func(context.Context) (vault.Keys, error) {
	last, _ := json.Marshal(have)
	return func(ctx context.Context) (vault.Keys, error) {
		keys, err := ask(ctx)
		if err != nil {
			return keys, err
		}
		if raw, err := json.Marshal(keys); err == nil && !bytes.Equal(raw, last) {
			last = raw
			saveKeys(l, keys, log)
		}
		return keys, nil
	}
}

// awaitVault waits until the vault serves for the first time, or ctx ends: a worker
// of a machine that stands by has nothing to do, and nothing to complain of.
func (r *registryRole) awaitVault(ctx context.Context, log *slog.Logger) {
	said := false
	for {
		_, err := r.vault.Status(ctx)
		if err == nil || !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) {
			return
		}
		if err != nil && !said {
			said = true
			log.Info("the worker waits for the vault", "code", fault.CodeOf(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}
