package edge

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// publicSet is the vault's public keys as this process knows them now.
type publicSet struct {
	vault   vault.Keys
	bearers []jose.JSONWebKey // the current one first, then announced and old ones
}

// verify tries each bearer key: the vault says again whether one is still good.
func (p *publicSet) verify(tok *jose.JSONWebSignature) (payload []byte, err error) {
	err = fault.New(fault.Internal, "bearer", "no bearer key")
	for _, k := range p.bearers {
		if payload, err = tok.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	return nil, err
}

// known is the vault's keys, or fault.Unavailable when this process started while
// the vault was away and has never seen them.
func (s *Server) known() (*publicSet, error) {
	if p := s.keys.Load(); p != nil {
		return p, nil
	}
	return nil, &fault.Error{Kind: fault.Unavailable, Code: vault.CodeAway, Text: "the vault's keys are not known yet", RetryAfter: 2 * time.Second}
}

// Known reports, as an error, that the vault's keys are not known yet.
func (s *Server) Known(context.Context) error {
	_, err := s.known()
	return err
}

// UseKeys serves with the vault's keys as they are now. Safe for concurrent use.
// fault.Internal, and nothing changes, when they do not parse.
func (s *Server) UseKeys(k vault.Keys) error {
	var set jose.JSONWebKeySet
	raw := k.Bearers
	if len(raw) == 0 {
		raw = []byte(`{"keys":[` + string(k.BearerJWK) + `]}`)
	}
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) == 0 {
		return fault.New(fault.Internal, "keys", "the vault's bearer keys do not parse")
	}
	s.keys.Store(&publicSet{vault: k, bearers: set.Keys})
	return nil
}

// FollowKeys asks the vault for its keys again and again until ctx ends. A new key
// is announced for longer than several rounds before anything is signed with it.
func (s *Server) FollowKeys(ctx context.Context, every time.Duration, ask func(context.Context) (vault.Keys, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var soon <-chan time.Time
		if s.keys.Load() == nil { // people are refused until they are known
			soon = time.After(every / 10)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-soon:
		}
		keys, err := ask(ctx)
		if err == nil {
			err = s.UseKeys(keys)
		}
		if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) && ctx.Err() == nil {
			s.cfg.Logger.Warn("the vault's keys cannot be read", "kind", fault.KindOf(err))
		}
	}
}
