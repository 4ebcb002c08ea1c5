package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

type partnerCmd struct {
	Enrol   partnerEnrolCmd   `cmd:"" help:"Make a key for a partner application and enrol it in the vault of this machine."`
	List    partnerListCmd    `cmd:"" help:"List the partners."`
	Disable partnerDisableCmd `cmd:"" help:"End a partner's access at once."`
	Sign    partnerSignCmd    `cmd:"" help:"Print the DPoP proof that signs one request of a partner."`
}

// partnerFile is a partner's credentials on disk, mode 0600.
type partnerFile struct {
	Partner id.Partner      `json:"partner"`
	Name    string          `json:"name"`
	APIKey  string          `json:"x_api_key"`
	Key     json.RawMessage `json:"key"` // private EC P-256 JWK
}

type partnerEnrolCmd struct {
	Data      string   `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Name      string   `required:"" help:"The partner's name, as people read it beside their code: 2 to 40 letters, digits and spaces."`
	Scopes    []string `required:"" name:"scope" enum:"auth,status,certificate" help:"What people may consent to: auth (masked view), status (0, 1 or 2 doses), certificate. Comma-separated."`
	Hourly    int64    `name:"codes-per-hour" help:"Codes it may ask for in an hour; 2000 unless given."`
	PublicKey string   `type:"existingfile" help:"File with the partner's own public key (EC P-256, JWK); without it a key is made here."`
	Out       string   `required:"" help:"Where to write the credentials (mode 0600)."`
}

// Run implements the command. The file is written before the enrolment: a file
// without one opens nothing, the other way round would lose the key.
func (c *partnerEnrolCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	f := partnerFile{Name: c.Name, APIKey: id.Secret(32)}
	var public []byte
	if c.PublicKey != "" {
		if public, err = os.ReadFile(c.PublicKey); err != nil {
			return err
		}
	} else if f.Key, public, err = newPartnerKey(); err != nil {
		return err
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(public, &jwk); err != nil || !jwk.IsPublic() {
		return errors.New("the public key is no public EC P-256 key as JWK")
	}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	f.Partner = id.Partner(base64.RawURLEncoding.EncodeToString(sum))
	if err := writeSecretFile(c.Out, f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := client.EnrolPartner(ctx, vault.PartnerEnrolRequest{Name: c.Name, Scopes: c.Scopes, PublicJWK: public, KeyHash: vault.Hash(sha256.Sum256([]byte(f.APIKey))), Hourly: c.Hourly})
	dropRefused(err, c.Out)
	if err != nil {
		return err
	}
	fmt.Println("enrolled", got.Partner, strings.Join(c.Scopes, ","), "credentials", c.Out)
	return nil
}

func newPartnerKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if private, err = json.Marshal(jose.JSONWebKey{Key: key}); err != nil {
		return nil, nil, err
	}
	public, err = json.Marshal(jose.JSONWebKey{Key: &key.PublicKey})
	return private, public, err
}

// writeSecretFile writes v as JSON into a new file of mode 0600.
func writeSecretFile(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

type partnerListCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *partnerListCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := client.Partners(ctx)
	if err != nil {
		return err
	}
	for _, p := range list.Partners {
		fmt.Printf("%s\t%s\t%s\t%s\t%d codes per hour\tsince %s\n", p.Partner, vault.CredentialState(p.Active, p.Suspended), strings.Join(p.Scopes, ","), p.Name, p.Hourly,
			time.UnixMilli(p.Since).UTC().Format(time.DateOnly))
	}
	return nil
}

type partnerDisableCmd struct {
	Data    string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Partner string `required:"" help:"The partner, as enrol and list print it; write --partner=ID when it begins with a hyphen."`
}

// Run implements the command.
func (c *partnerDisableCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err = client.DisablePartner(ctx, vault.PartnerDisableRequest{Partner: id.Partner(c.Partner)})
	return err
}

type partnerSignCmd struct {
	Key       string `required:"" type:"existingfile" help:"Credentials that enrol wrote."`
	Method    string `default:"POST" help:"HTTP method of the request."`
	URL       string `required:"" help:"Absolute URL of the request, with its query."`
	Body      string `help:"File with the request body, - for standard input; without it the body is empty."`
	Bearer    string `help:"File with the token of the request, if it has one."`
	ClockFile string `help:"File with a clock offset in milliseconds (demo and tests)."`
}

// Run implements the command.
func (c *partnerSignCmd) Run() error {
	raw, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	var f partnerFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("credentials %s are malformed", c.Key)
	}
	body, err := bodyOf(c.Body)
	var bearer []byte
	if err == nil && c.Bearer != "" {
		bearer, err = os.ReadFile(c.Bearer)
	}
	if err != nil {
		return err
	}
	proof, err := dpop(f.Key, c.Method, c.URL, body, strings.TrimSpace(string(bearer)), clock(c.ClockFile)())
	if err != nil {
		return err
	}
	fmt.Println(proof)
	return nil
}
