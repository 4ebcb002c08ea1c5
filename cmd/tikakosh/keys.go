package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List every key: purpose, id, version, custody, created, state, use. No key is shown."`
	Split  keysSplitCmd  `cmd:"" help:"Put the keys under a start-up key in shares; before the first start, or for key files that exist."`
	Offer  keysOfferCmd  `cmd:"" help:"Give a vault that waits one share, on the terminal or standard input."`
	Rotate keysRotateCmd `cmd:"" help:"Make the next version of a key; the running vault takes the change to its end."`
}

type keysListCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	JSON bool   `help:"Print the list as JSON."`
}

// Run implements the command.
func (c *keysListCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := client.ListKeys(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tCUSTODY\tCREATED\tSTATE\tSINCE\tUSE")
	for _, k := range list.Keys {
		since := day(k.Since)
		if k.Until != 0 {
			since += ", until " + time.UnixMilli(k.Until).UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Key, k.Custody, day(k.Created), k.State, since, k.Uses)
	}
	return w.Flush()
}

func day(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

type keysRotateCmd struct {
	Kind        string `arg:"" enum:"token,certificate,epoch,ledger,index,id-tag" help:"token, certificate, epoch, ledger, index or id-tag."`
	Data        string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Compromised bool   `help:"id-tag only: tags of older versions are worth nothing any more and are removed; numbers are tagged anew when they are next given."`
	Wait        bool   `help:"Return when the change has come to its end."`
}

// Run implements the command.
func (c *keysRotateCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	made, err := client.RotateKey(ctx, vault.KeyRotateRequest{Kind: c.Kind, Compromised: c.Compromised})
	if err != nil {
		return err
	}
	fmt.Printf("%s made; the vault takes the change to its end, `tikakosh keys list` shows how far it is\n", made.Key)
	for c.Wait {
		time.Sleep(250 * time.Millisecond)
		under, err := c.underWay(client, made.Key)
		if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) {
			return err
		}
		if err == nil && !under {
			fmt.Printf("%s is in use; the change is at its end\n", made.Key)
			return nil
		}
	}
	return nil
}

// underWay reports whether a key is not in use yet, or an old one is still needed.
func (c *keysRotateCmd) underWay(client *vault.Client, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	list, err := client.ListKeys(ctx)
	if err != nil {
		return true, err
	}
	purpose := key[:strings.LastIndexByte(key, '/')]
	for _, k := range list.Keys {
		if !strings.HasPrefix(k.Key, purpose+"/") {
			continue
		}
		waits := k.State == state.KeyNext || k.State == state.KeyOld && (c.Kind != vault.KeyIDTag || c.Compromised)
		if waits || k.Key == key && k.State != state.KeyCurrent {
			return true, nil
		}
	}
	return false, nil
}
