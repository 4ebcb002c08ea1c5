package signin

import (
	"context"
	"net/url"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
)

// sessionWhole is how long a session may go on (design.md 5).
const sessionWhole = time.Hour

// extendBody is what the key signs to have a session go on.
const extendBody = "extend"

// extends reports whether a signed request says that a session is to go on: not any proof of
// the device that somebody kept.
func extends(s vault.Signed) bool {
	u, err := url.Parse(s.URL)
	return err == nil && strings.HasSuffix(u.Path, "/session/extend") && s.Method == "POST" && string(s.Body) == extendBody
}

// ExtendSession implements the vault's word (ADR 44).
func (k *Desk) ExtendSession(ctx context.Context, r vault.ExtendRequest) (vault.Session, error) {
	var mint func() (vault.Session, error)
	_, err := k.update(ctx, func(t *Txn) error {
		house, row, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		thumb, err := t.deviceOf(&r.Device)
		if off := ablate.Off(ablate.HolderKey); (err != nil || row.Way == "" || thumb != row.Way || !extends(r.Device)) && !off {
			if err != nil && !fault.Is(err, fault.Unauthorized) {
				return err
			}
			return fault.New(fault.Forbidden, "EXTEND", "the session goes on only with the key of the device that it began on: sign in again")
		}
		if mint, err = t.Extend(r.Holder, sessionWhole); err == nil {
			t.Append(engine.Entry{Kind: "household", House: house, View: "session extended", Role: "holder"})
		}
		return err
	})
	if err != nil {
		return vault.Session{}, err
	}
	return mint()
}
