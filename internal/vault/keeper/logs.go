package keeper

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"strconv"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// logTopic finds the entries about the roles' log files; it is no person's id.
const logTopic = id.Person("logs")

// lastLogSeal returns number and digest of the newest statement about log files.
func (t *txn) lastLogSeal() (number int64, digest []byte, err error) {
	last, err := t.tx.ByPerson(t.ctx, t.k.personTag(logTopic), 0, 1)
	if err != nil || len(last) == 0 {
		return 0, nil, err
	}
	e, err := t.k.openEntry(last[0])
	if err != nil {
		return 0, nil, err
	}
	number, err1 := strconv.ParseInt(e.ViewID, 10, 64)
	digest, err2 := hex.DecodeString(e.Evidence)
	if e.Kind != "logs" || err1 != nil || err2 != nil {
		return 0, nil, integrity("entry", "an entry about log files is malformed")
	}
	return number, digest, nil
}

// SealLogs puts a statement about the roles' log files on the ledger, when it
// follows the last one, and signs it.
func (k *Keeper) SealLogs(ctx context.Context, r vault.LogSeal) (vault.LogSealed, error) {
	if len(r.Digest) != 32 || r.Number < 1 {
		return vault.LogSealed{}, fault.New(fault.Invalid, "logs", "a statement about logs has a number and a digest of 32 bytes")
	}
	out := vault.LogSealed{Number: r.Number, Digest: r.Digest}
	receipts, err := k.update(ctx, func(t *txn) error {
		number, digest, err := t.lastLogSeal()
		if err != nil {
			return err
		}
		if r.Number == number && string(r.Digest) == string(digest) { // its answer was lost
			return nil
		}
		if r.Number != number+1 || string(r.Previous) != string(digest) {
			return fault.Newf(fault.Conflict, "logs", "the ledger's newest statement about logs is number %d; statements are missing or were changed", number)
		}
		t.append(entry{Kind: "logs", View: "log seal", Role: "operator", ViewID: strconv.FormatInt(r.Number, 10), Evidence: hex.EncodeToString(r.Digest), topic: logTopic})
		return nil
	})
	return k.signLogs(out, receipts), err
}

// NewestLogSeal tells number and digest of the newest statement about log files.
func (k *Keeper) NewestLogSeal(ctx context.Context, _ vault.Empty) (out vault.LogSealed, err error) {
	err = k.view(ctx, func(t *txn) error {
		out.Number, out.Digest, err = t.lastLogSeal()
		return err
	})
	return out, err
}

// SignLogExport signs the digest of an export of log files together with the
// newest statement, and records that there was an export.
func (k *Keeper) SignLogExport(ctx context.Context, r vault.LogExport) (vault.LogSealed, error) {
	if len(r.Digest) != 32 {
		return vault.LogSealed{}, fault.New(fault.Invalid, "logs", "an export of logs has a digest of 32 bytes")
	}
	out := vault.LogSealed{Digest: r.Digest, Export: true}
	receipts, err := k.update(ctx, func(t *txn) (err error) {
		if out.Number, out.Newest, err = t.lastLogSeal(); err != nil {
			return err
		}
		t.append(entry{Kind: "export", View: "role logs", Role: "operator", Evidence: hex.EncodeToString(r.Digest)})
		return nil
	})
	return k.signLogs(out, receipts), err
}

func (k *Keeper) signLogs(s vault.LogSealed, receipts []string) vault.LogSealed {
	s.At = k.now().UnixMilli()
	s.Receipt = done(receipts).Receipt
	s.Signature = ed25519.Sign(k.keys.receipt, s.SignedText())
	return s
}
