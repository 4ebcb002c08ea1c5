package notary

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// logTopic finds the entries that begin a log; with a log's name behind, those of
// that log's statements. It is no person's id.
const logTopic = id.Person("logs")

// logsMax bounds how many logs the ledger keeps apart.
const logsMax = 200

func topicOf(log string) (id.Person, error) {
	raw, err := hex.DecodeString(log)
	if err != nil || len(raw) != 8 {
		return "", fault.New(fault.Invalid, "logs", "a log is named by 16 hex digits")
	}
	return logTopic + id.Person("/"+log), nil
}

// lastLogSeal returns number and digest of a log's newest statement.
func (k *Desk) lastLogSeal(t *engine.Txn, topic id.Person) (number int64, digest []byte, err error) {
	last, err := t.Tx.ByPerson(t.Ctx, k.keys.PersonTag(topic), 0, 1)
	if err != nil || len(last) == 0 {
		return 0, nil, err
	}
	e, err := k.eng.OpenEntry(last[0])
	if err != nil {
		return 0, nil, err
	}
	number, err1 := strconv.ParseInt(e.ViewID, 10, 64)
	digest, err2 := hex.DecodeString(e.Evidence)
	if e.Kind != "logs" || err1 != nil || err2 != nil {
		return 0, nil, state.Integrity("entry", "an entry about log files is malformed")
	}
	return number, digest, nil
}

// otherLogs counts the logs that the ledger knows besides the named one.
func (k *Desk) otherLogs(t *engine.Txn, log string) (n int, err error) {
	rows, err := t.Tx.ByPerson(t.Ctx, k.keys.PersonTag(logTopic), 0, logsMax)
	for _, row := range rows {
		e, err := k.eng.OpenEntry(row)
		if err != nil {
			return 0, err
		}
		if e.Actor != log {
			n++
		}
	}
	return n, err
}

// SealLogs puts a statement about the roles' log files on the ledger, when it
// follows the last one of that log, and signs it. A log that begins beside others
// is an alarm: a new machine, or one that hides what its log said before.
func (k *Desk) SealLogs(ctx context.Context, r vault.LogSeal) (vault.LogSealed, error) {
	topic, err := topicOf(r.Log)
	if err != nil {
		return vault.LogSealed{}, err
	}
	if len(r.Digest) != 32 || r.Number < 1 {
		return vault.LogSealed{}, fault.New(fault.Invalid, "logs", "a statement about logs has a number and a digest of 32 bytes")
	}
	out := vault.LogSealed{Log: r.Log, Number: r.Number, Digest: r.Digest}
	receipts, err := k.eng.Update(ctx, func(t *engine.Txn) error {
		number, digest, err := k.lastLogSeal(t, topic)
		if err != nil {
			return err
		}
		if r.Number == number && string(r.Digest) == string(digest) { // its answer was lost
			return nil
		}
		if (r.Number != number+1 || string(r.Previous) != string(digest)) && !ablate.Off(ablate.LogOrder) {
			return fault.Newf(fault.Conflict, "logs", "the ledger's newest statement about logs is number %d; statements are missing or were changed", number)
		}
		if number == 0 {
			if out.Others, err = k.otherLogs(t, r.Log); err != nil {
				return err
			}
			if out.Others >= logsMax {
				return fault.New(fault.Forbidden, "logs", "the ledger knows too many logs")
			}
			t.Append(engine.Entry{Kind: "logs", View: "log begun", Role: "operator", Actor: r.Log, Topic: logTopic})
		}
		t.Append(engine.Entry{Kind: "logs", View: "log seal", Role: "operator", ViewID: strconv.FormatInt(r.Number, 10), Evidence: hex.EncodeToString(r.Digest), Topic: topic})
		return nil
	})
	if err == nil && out.Others > 0 {
		k.log.Warn("alarm: a log begins beside others that the ledger knows: a new machine, or one that hides what its log said before", "alarm", "logs", "log", r.Log, "others", out.Others)
	}
	return k.signLogs(out, receipts), err
}

// NewestLogSeal tells number and digest of a log's newest statement.
func (k *Desk) NewestLogSeal(ctx context.Context, r vault.LogExport) (out vault.LogSealed, err error) {
	topic, err := topicOf(r.Log)
	if err != nil {
		return out, err
	}
	out.Log = r.Log
	err = k.eng.View(ctx, func(t *engine.Txn) error {
		if out.Number, out.Digest, err = k.lastLogSeal(t, topic); err == nil {
			out.Others, err = k.otherLogs(t, r.Log)
		}
		return err
	})
	return out, err
}

// SignLogExport signs the digest of an export of log files together with the
// newest statement, and records that there was an export.
func (k *Desk) SignLogExport(ctx context.Context, r vault.LogExport) (vault.LogSealed, error) {
	topic, err := topicOf(r.Log)
	if err != nil {
		return vault.LogSealed{}, err
	}
	if len(r.Digest) != 32 {
		return vault.LogSealed{}, fault.New(fault.Invalid, "logs", "an export of logs has a digest of 32 bytes")
	}
	out := vault.LogSealed{Log: r.Log, Digest: r.Digest, Export: true}
	receipts, err := k.eng.Update(ctx, func(t *engine.Txn) (err error) {
		if out.Number, out.Newest, err = k.lastLogSeal(t, topic); err != nil {
			return err
		}
		t.Append(engine.Entry{Kind: "export", View: "role logs", Role: "operator", Actor: r.Log, Evidence: hex.EncodeToString(r.Digest)})
		return nil
	})
	return k.signLogs(out, receipts), err
}

func (k *Desk) signLogs(s vault.LogSealed, receipts []string) vault.LogSealed {
	s.At = k.now().UnixMilli()
	s.Receipt = newest(receipts)
	s.Signature = ed25519.Sign(k.keys.Receipt, s.SignedText())
	return s
}
