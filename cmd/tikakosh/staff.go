package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

type staffCmd struct {
	Enrol   staffEnrolCmd   `cmd:"" help:"Make a device key and enrol it in the vault of this machine."`
	Sign    staffSignCmd    `cmd:"" help:"Print the DPoP proof that signs one request."`
	Disable staffDisableCmd `cmd:"" help:"End a staff credential, or disable a member of staff."`
	List    staffListCmd    `cmd:"" help:"List the staff credentials; names stay sealed."`
	Confirm staffConfirmCmd `cmd:"" help:"Take staff credentials and partners into use again that a restore behind the ledger suspended."`

	SetupLink staffSetupCmd     `cmd:"" help:"Make the link for the first administrator, while there is none."`
	Client    staffClientCmd    `cmd:"" help:"Compare the staff client that browsers get with this program's and with the one on the ledger."`
	Members   staffMembersCmd   `cmd:"" help:"List the members of staff who sign in with passkeys; names stay sealed."`
	Proposals staffProposalsCmd `cmd:"" help:"List what waits for a second approval."`
	Approve   staffApproveCmd   `cmd:"" help:"Approve, after its day of waiting, what nobody else could: the invitations of a single administrator."`

	Sync staffSyncCmd `cmd:"" help:"Take in a department's list of who works there: leavers are disabled and signed out at once."`

	Corrections staffCorrectionsCmd `cmd:"" help:"List what waits at a centre for a second signature, or show one proposal."`
}

// keyFile is a staff device key on disk, mode 0600.
type keyFile struct {
	Staff  id.Staff        `json:"staff"`
	Role   string          `json:"role"`
	Centre id.Centre       `json:"center_id"`
	Key    json.RawMessage `json:"key"` // private EC P-256 JWK
}

type staffEnrolCmd struct {
	Data   string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Role   string `required:"" enum:"manager,vaccinator,custodian" help:"manager or vaccinator of a centre; custodian: approves, with another one, that an older backup goes live."`
	Centre int64  `help:"The centre's number; none for a custodian."`
	Name   string `required:"" help:"The staff member's name; stored sealed."`
	Person string `help:"What tells this member of staff from others, as a staff number; stored as a keyed tag. Two keys of one person cannot approve each other's proposals. Without it the name tells."`
	Out    string `required:"" help:"Where to write the key file (mode 0600)."`
	DB     string `name:"db" env:"TIKAKOSH_DB" help:"Registry database, to see whether the centre is there: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
}

// Run implements the command.
func (c *staffEnrolCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r := vault.StaffEnrolRequest{Name: c.Name, Person: c.Person, Role: c.Role, Centre: id.Centre(c.Centre)}
	kf, err := enrolStaff(ctx, client, r, c.Out)
	if err != nil {
		return err
	}
	fmt.Println("enrolled", kf.Role, string(kf.Staff), "key file", c.Out)
	if c.Centre != 0 { // a custodian has none
		warnCentre(ctx, c.Data, c.DB, id.Centre(c.Centre))
	}
	return nil
}

// enrolStaff makes a key, writes its file first, and enrols it: a file without
// enrolment opens nothing, the other way round would lose the key.
// The request lacks the key only.
func enrolStaff(ctx context.Context, client *vault.Client, r vault.StaffEnrolRequest, out string) (keyFile, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyFile{}, err
	}
	priv := jose.JSONWebKey{Key: key}
	raw, err := json.Marshal(priv)
	if err != nil {
		return keyFile{}, err
	}
	pub := jose.JSONWebKey{Key: &key.PublicKey}
	rawPub, err := json.Marshal(pub)
	if err != nil {
		return keyFile{}, err
	}
	sum, err := pub.Thumbprint(crypto.SHA256)
	if err != nil {
		return keyFile{}, err
	}
	kf := keyFile{Staff: id.Staff(base64.RawURLEncoding.EncodeToString(sum)), Role: r.Role, Centre: r.Centre, Key: raw}
	if err := writeKeyFile(out, kf); err != nil {
		return kf, err
	}
	r.PublicJWK = rawPub
	_, err = client.EnrolStaff(ctx, r)
	dropRefused(err, out)
	return kf, err
}

// dropRefused takes the key file of an enrolment away that the vault refused: it
// opens nothing, and would be in the way of the next try; likewise when the vault
// waited for something. Where the vault's
// answer is not known, the file stays.
func dropRefused(err error, file string) {
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Unavailable) {
		_ = os.Remove(file)
	}
}

func writeKeyFile(path string, kf keyFile) error {
	raw, err := json.MarshalIndent(kf, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

type staffDisableCmd struct {
	Data  string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Staff string `required:"" help:"The credential's name, as enrol printed it; write --staff=NAME when it begins with a hyphen. Or a member's id, as members prints it: all their passkeys and sessions end."`
}

// Run implements the command.
func (c *staffDisableCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if id.Valid(c.Staff) {
		_, err = client.StaffEnd(ctx, vault.StaffOperatorRequest{Member: c.Staff})
		return err
	}
	_, err = client.DisableStaff(ctx, vault.StaffDisableRequest{Staff: id.Staff(c.Staff)})
	return err
}

// operatorClient reaches the vault over its socket file, which only the vault's
// user and root can open.
func operatorClient(data string) (*vault.Client, error) {
	path := filepath.Join(data, "vault", "admin.sock")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the vault's socket %s cannot be reached: is `tikakosh run` or `demo` up with this data folder, and are you root or the vault's user? (%w)", path, err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return vault.NewClient(&http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 30 * time.Second}, "http://vault"), nil
}

type staffSignCmd struct {
	Key       string `required:"" type:"existingfile" help:"Key file that enrol wrote."`
	Method    string `default:"POST" help:"HTTP method of the request."`
	URL       string `required:"" help:"Absolute URL of the request."`
	Body      string `help:"File with the request body, - for standard input; without it the body is empty."`
	ClockFile string `help:"File with a clock offset in milliseconds (demo and tests)."`
}

// Run implements the command.
func (c *staffSignCmd) Run() error {
	raw, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	var kf keyFile
	if err := json.Unmarshal(raw, &kf); err != nil {
		return fmt.Errorf("key file %s is malformed", c.Key)
	}
	body, err := bodyOf(c.Body)
	if err != nil {
		return err
	}
	proof, err := dpop(kf.Key, c.Method, c.URL, body, "", clock(c.ClockFile)())
	if err != nil {
		return err
	}
	fmt.Println(proof)
	return nil
}
