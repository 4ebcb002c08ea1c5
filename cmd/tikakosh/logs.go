package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/rolelog"
	"tikakosh/internal/vault"
)

type logsCmd struct {
	Export logsExportCmd `cmd:"" help:"Write one signed archive of the roles' logs of a time."`
	Verify logsVerifyCmd `cmd:"" help:"Check an archive, or an installation's logs, for lines and files that are missing or changed."`
}

type logsExportCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	From string `required:"" help:"Begin: 2026-11-26 or 2026-11-26T14:00:00Z (UTC)."`
	To   string `required:"" help:"End; of a day alone its end."`
	Out  string `required:"" help:"File to write; it must not exist."`
	Days int    `name:"log-days" default:"400" help:"As for run."`
}

// Run implements the command.
func (c *logsExportCmd) Run() error {
	from, err := moment(c.From, false)
	if err != nil {
		return err
	}
	to, err := moment(c.To, true)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := sealOnce(ctx, layout{c.Data}, c.Days); err != nil && !fault.Is(err, fault.Integrity) {
		return fmt.Errorf("the log files could not be sealed first: %w", err)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "warning:", message(err))
	}
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	log, err := layout{c.Data}.logName()
	if err != nil {
		return err
	}
	keys, err := client.Keys(ctx)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	m := rolelog.Manifest{From: from.UnixMilli(), To: min(to.UnixMilli(), time.Now().UnixMilli()), Made: time.Now().UnixMilli(), Key: keys.ReceiptKey}
	files, err := rolelog.Export(ctx, layout{c.Data}.logs(), out, m, func(ctx context.Context, digest []byte) (json.RawMessage, error) {
		proof, err := client.SignLogExport(ctx, vault.LogExport{Log: log, Digest: digest})
		if err != nil {
			return nil, err
		}
		return json.Marshal(proof)
	})
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Out))
	}
	fmt.Printf("%s: %d files\n", c.Out, len(files))
	return nil
}

// moment reads a day or an instant.
func moment(text string, end bool) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badConfig("%q is no day (2026-11-26) and no instant (2026-11-26T14:00:00Z)", text)
	}
	return t, nil
}

type logsVerifyCmd struct {
	Archive string `arg:"" optional:"" type:"existingfile" help:"Archive that export wrote."`
	Data    string `type:"existingdir" help:"Data folder instead of an archive; with the installation running, the ledger's newest statement is asked for."`
	Keys    string `help:"File or address of the installation's /api/v3/keys. Without it an archive's own key is used: that shows that it is whole, not whose it is."`
	JSON    bool   `help:"Print the report as JSON."`
}

// Run implements the command.
func (c *logsVerifyCmd) Run() error {
	if (c.Archive == "") == (c.Data == "") {
		return badConfig("give an archive or --data")
	}
	ctx := context.Background()
	var key []byte
	if c.Keys != "" {
		var err error
		if key, err = receiptKey(c.Keys); err != nil {
			return err
		}
	}
	verify := c.archive
	if c.Data != "" {
		verify = c.folder
	}
	rep, err := verify(ctx, key)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(rep); err != nil {
			return err
		}
	} else {
		for _, p := range rep.Problems {
			fmt.Println("PROBLEM:", p)
		}
		newest := fmt.Sprintf("number %d of %s", rep.Newest, time.UnixMilli(rep.SealedTo).UTC().Format(time.RFC3339))
		if rep.Newest == 0 {
			newest = "there is none yet: `run` makes one every --log-seal-every"
		}
		fmt.Printf("%d files, %d lines, %d of them after the newest statement (%s); %d problems\n", rep.Files, rep.Lines, rep.Unsealed, newest, len(rep.Problems))
		if rep.Lost > 0 {
			fmt.Printf("the logs say themselves that %d lines could not be written\n", rep.Lost)
		}
	}
	if len(rep.Problems) > 0 {
		return errors.New("the logs are not complete and unchanged")
	}
	return nil
}

// checkSeal checks statements' proofs with the vault's key, and that all are of the
// named log.
func checkSeal(key []byte, log string) rolelog.Proof {
	return func(number int64, digest []byte, proof json.RawMessage) error {
		var s vault.LogSealed
		if err := json.Unmarshal(proof, &s); err != nil || s.Export || s.Number != number || !bytes.Equal(s.Digest, digest) {
			return fault.New(fault.Integrity, "log-seal", "the proof is of another statement")
		}
		if s.Log != log {
			return fault.New(fault.Integrity, "log-seal", "the statements are of several logs")
		}
		return s.Verify(key)
	}
}

func (c *logsVerifyCmd) archive(ctx context.Context, key []byte) (rolelog.Report, error) {
	f, err := os.Open(c.Archive)
	if err != nil {
		return rolelog.Report{}, err
	}
	defer f.Close()
	scratch, err := os.MkdirTemp("", "tikakosh-logs-")
	if err != nil {
		return rolelog.Report{}, err
	}
	defer os.RemoveAll(scratch)
	if key == nil {
		fmt.Fprintln(os.Stderr, "note: the archive's own key is used; give --keys to see whose it is")
	}
	own := func() []byte { // the manifest is unpacked first
		if key != nil {
			return key
		}
		var m rolelog.Manifest
		raw, err := os.ReadFile(filepath.Join(scratch, "manifest.json"))
		if err != nil || json.Unmarshal(raw, &m) != nil {
			return nil
		}
		return m.Key
	}
	var seal rolelog.Proof // of the manifest's log, once the manifest was looked at
	m, rep, err := rolelog.VerifyExport(ctx, f, scratch, func(digest []byte, proof json.RawMessage) (rolelog.Newest, error) {
		var s vault.LogSealed
		if err := json.Unmarshal(proof, &s); err != nil || !s.Export || !bytes.Equal(s.Digest, digest) {
			return rolelog.Newest{}, fault.New(fault.Integrity, "log-seal", "the proof is of another manifest")
		}
		seal = checkSeal(own(), s.Log)
		return rolelog.Newest{Known: true, Number: s.Number, Digest: s.Newest}, s.Verify(own())
	}, func(number int64, digest []byte, proof json.RawMessage) error {
		if seal == nil {
			return fault.New(fault.Integrity, "log-seal", "the manifest is not the vault's")
		}
		return seal(number, digest, proof)
	})
	if err == nil && !c.JSON {
		fmt.Printf("from %s to %s, made %s\n", time.UnixMilli(m.From).UTC().Format(time.RFC3339), time.UnixMilli(m.To).UTC().Format(time.RFC3339), time.UnixMilli(m.Made).UTC().Format(time.RFC3339))
	}
	return rep, err
}

func (c *logsVerifyCmd) folder(ctx context.Context, key []byte) (rolelog.Report, error) {
	newest := rolelog.Newest{}
	log, err := layout{c.Data}.logName()
	if err != nil {
		return rolelog.Report{}, err
	}
	if client, err := operatorClient(c.Data); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		s, err1 := client.NewestLogSeal(ctx, vault.LogExport{Log: log})
		keys, err2 := client.Keys(ctx)
		if errors.Join(err1, err2) == nil {
			if s.Others > 0 {
				fmt.Fprintf(os.Stderr, "note: the ledger knows %d logs of other machines or folders besides this one (%s); verify each where it is\n", s.Others, log)
			}
			newest = rolelog.Newest{Known: true, Number: s.Number, Digest: s.Digest}
			if key == nil {
				key = keys.ReceiptKey
			}
		}
	}
	if key == nil {
		return rolelog.Report{}, badConfig("the vault cannot be asked for its key: give --keys with the file of /api/v3/keys")
	}
	if !newest.Known {
		fmt.Fprintln(os.Stderr, "note: the vault cannot be asked which statement is the newest: statements missing at the end would not be noticed")
	}
	return rolelog.Verify(ctx, os.DirFS(layout{c.Data}.logs()), checkSeal(key, log), newest)
}

// receiptKey reads the vault's receipt key from the answer of /api/v3/keys.
func receiptKey(from string) ([]byte, error) {
	var raw []byte
	var err error
	if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		raw, err = fetch(from)
	} else {
		raw, err = os.ReadFile(from)
	}
	if err != nil {
		return nil, err
	}
	var keys struct {
		Receipt []byte `json:"receipt_key"`
	}
	if json.Unmarshal(raw, &keys) != nil || len(keys.Receipt) == 0 {
		return nil, badConfig("%s holds no receipt_key", from)
	}
	return keys.Receipt, nil
}
