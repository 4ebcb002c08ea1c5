package keeper

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

const (
	issuedPerPage  = 100             // certificates in one row: rows stay small however often one is downloaded
	revocationScan = 500             // rows of one page of a scan
	listLife       = 5 * time.Minute // a list that nothing changed is signed anew after this
)

// revoked is the signed list as it was last made. changes counts commits that
// revoked something; made is the count the list was made after.
type revoked struct {
	changes atomic.Uint64
	mu      sync.Mutex
	made    uint64
	at      time.Time
	list    vault.RevocationList
}

// issue notes that a certificate is about to be made for a person, so that it
// can be taken back. It belongs to the transaction whose entry is the opening.
func (t *txn) issue(person id.Person, viewID string) error {
	ci, err := t.k.certificateID(viewID)
	if err != nil {
		return err
	}
	first, _, err := engine.Get[state.IssuedPage](t, state.Issued, issuedKey(person, 0))
	if err != nil {
		return err
	}
	n := max(first.Pages-1, 0)
	page := first
	if n > 0 {
		if page, _, err = engine.Get[state.IssuedPage](t, state.Issued, issuedKey(person, n)); err != nil {
			return err
		}
	}
	if len(page.List) >= issuedPerPage {
		n++
		page = state.IssuedPage{}
	}
	h := encode.RevocationHashOf(ci)
	page.List = append(page.List, state.IssuedCertificate{Hash: hex.EncodeToString(h[:]), Expires: t.k.now().Add(certificateLife).UnixMilli()})
	if n == 0 {
		page.Pages = 1
	} else if first.Pages != n+1 {
		first.Pages = n + 1
		if err := engine.Put(t, state.Issued, issuedKey(person, 0), first, 0); err != nil {
			return err
		}
	}
	return engine.Put(t, state.Issued, issuedKey(person, n), page, 0)
}

func issuedKey(person id.Person, page int) string { return string(person) + "/" + strconv.Itoa(page) }

// revokeCertificates takes back every certificate of a person that is still
// valid. The person sees it; a new one is theirs to download. It does nothing
// for a person who has none.
func (t *txn) revokeCertificates(person id.Person, house id.Household, reason string) error {
	now := t.k.now().UnixMilli()
	var hashes []string
	for n := 0; ; n++ {
		page, ok, err := engine.Get[state.IssuedPage](t, state.Issued, issuedKey(person, n))
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		for _, c := range page.List {
			if c.Expires > now {
				hashes = append(hashes, c.Hash)
			}
		}
		page.List = nil
		if err := engine.Put(t, state.Issued, issuedKey(person, n), page, 0); err != nil {
			return err
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	first, _, err := engine.Get[state.IssuedPage](t, state.Issued, issuedKey(person, 0))
	if err != nil {
		return err
	}
	first.Ends++
	if err := engine.Put(t, state.Issued, issuedKey(person, 0), first, 0); err != nil {
		return err
	}
	t.mark(markRevoked, person, first.Ends)
	t.Append(engine.Entry{Kind: "certificate", Person: person, House: house, View: "revoked", Role: "system", Reason: reason})
	t.After(func() { t.k.revoked.changes.Add(1) })
	return engine.Put(t, state.Revocations, string(person)+"/"+id.NewOrdered(), state.Revocation{Hashes: hashes, Reason: reason, At: now}, 0)
}

// Revocations implements the vault's word: the signed list. It is made anew
// when something was revoked since, and otherwise every few minutes, so that its
// age shows that the issuer is there.
func (k *Keeper) Revocations(ctx context.Context, _ vault.Empty) (vault.RevocationList, error) {
	r := &k.revoked
	r.mu.Lock()
	defer r.mu.Unlock()
	now, changes := k.now(), r.changes.Load()
	if r.list.List != nil && r.made == changes && now.Sub(r.at) < listLife && !now.Before(r.at) {
		return r.list, nil
	}
	if err := k.eng.Compared(ctx, state.Revocations, ""); err != nil { // one shelf
		return vault.RevocationList{}, err
	}
	var hashes []encode.RevocationHash
	err := k.store.View(ctx, func(tx state.Tx) error {
		hashes = nil
		for after := ""; ; {
			rows, err := tx.Scan(ctx, state.Revocations, after, revocationScan)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if hashes, err = k.addRevoked(hashes, row); err != nil {
					return err
				}
				after = row.Key
			}
			if len(rows) < revocationScan {
				return nil
			}
		}
	})
	if err != nil {
		return vault.RevocationList{}, err
	}
	signer, err := encode.NewSigner(k.keys.Now().Certificate)
	if err != nil {
		return vault.RevocationList{}, fault.Wrap(fault.Internal, err, "certificate key")
	}
	number := int64(len(hashes)) // nothing is ever taken off the list
	raw, err := encode.SignRevocations(k.cfg.Issuer, number, now, hashes, signer)
	if err != nil {
		return vault.RevocationList{}, err
	}
	r.list, r.made, r.at = vault.RevocationList{Number: number, List: raw}, changes, now
	return r.list, nil
}

func (k *Keeper) addRevoked(list []encode.RevocationHash, s state.Stored) ([]encode.RevocationHash, error) {
	var row state.Revocation
	if !hmac.Equal(s.MAC, k.keys.RowMAC(state.Revocations, s)) || json.Unmarshal(s.Content, &row) != nil {
		return nil, state.Integrity(state.Revocations, "a row's MAC does not match")
	}
	for _, text := range row.Hashes {
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != len(encode.RevocationHash{}) {
			return nil, state.Integrity(state.Revocations, "a row is malformed")
		}
		list = append(list, encode.RevocationHash(raw))
	}
	return list, nil
}

// certificateID is the identifier of the certificate that a view makes.
func (k *Keeper) certificateID(viewID string) (string, error) {
	ci, err := encode.UVCI("IN", k.keys.Realm, k.release.ViewRef(viewID))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "certificate identifier")
	}
	return ci, nil
}
