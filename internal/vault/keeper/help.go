package keeper

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

func sortNewest(rows []state.Entry) {
	slices.SortFunc(rows, func(a, b state.Entry) int { return cmp.Compare(b.Index, a.Index) })
}

func (k *Keeper) sleep(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) }

// Keys implements the vault's word.
func (k *Keeper) Keys(context.Context, vault.Empty) (vault.Keys, error) {
	set := k.keys.Now().BearerSet()
	raw, err := json.Marshal(set)
	if err != nil {
		return vault.Keys{}, fault.Wrap(fault.Internal, err, "bearer key")
	}
	current, err := json.Marshal(set.Keys[0])
	if err != nil {
		return vault.Keys{}, fault.Wrap(fault.Internal, err, "bearer key")
	}
	certs, err := k.certificateKeys()
	if err != nil {
		return vault.Keys{}, err
	}
	inbox, err := k.keys.InboxKey()
	if err != nil {
		return vault.Keys{}, err
	}
	return vault.Keys{Realm: k.keys.Realm, Inbox: inbox.PublicKey().Bytes(), BearerJWK: current, Bearers: raw, Certificates: certs, LedgerVKey: k.CheckpointVKey(),
		LedgerKeys: k.turns.Chain(), ReceiptKey: k.keys.Receipt.Public().(ed25519.PublicKey)}, nil
}

// Status implements the vault's word.
func (k *Keeper) Status(context.Context, vault.Empty) (vault.Status, error) {
	ready := false
	select {
	case <-k.Ready():
		ready = true
	default:
	}
	return vault.Status{Ready: ready, LedgerSize: k.eng.Size(), Separated: k.cfg.Separated, Challenge: k.codes.Failing()}, nil
}
