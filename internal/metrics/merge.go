package metrics

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protodelim"

	"tikakosh/internal/fault"
)

// answerMax bounds what one role may answer, in bytes.
const answerMax = 8 << 20

// Source is one role's private socket, or this process's own set.
type Source struct {
	Role   string
	Client *http.Client
	Own    *Set
}

// Ask gets one path from a role.
func (s Source) Ask(ctx context.Context, method, path, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://role"+path, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "role")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "role")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	if err != nil || len(raw) > answerMax {
		return nil, fault.New(fault.Unavailable, "role", "the role's answer is cut short or too long")
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return nil, fault.New(fault.Unavailable, "role", "the role answered "+res.Status)
	}
	return raw, nil
}

// Merge asks every source for its metrics, gives each the label "role", and
// writes them all in the text form, with tikakosh_up for each. Of a family that two
// sources show in different types the first source's is kept; what a source shows
// in no proper form is left out, so that no role can spoil the others' figures.
func Merge(ctx context.Context, sources []Source, out io.Writer) error {
	shown := make([]map[string]*dto.MetricFamily, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			if families, err := s.families(ctx); err == nil {
				shown[i] = families
			}
		})
	}
	wg.Wait()
	upHelp, upType := "1 when the role answers its operator, else 0.", dto.MetricType_GAUGE
	upName := "tikakosh_up"
	up := &dto.MetricFamily{Name: &upName, Help: &upHelp, Type: &upType}
	all := map[string]*dto.MetricFamily{upName: up}
	for i, s := range sources {
		alive := 0.0
		if shown[i] != nil {
			alive = 1
		}
		up.Metric = append(up.Metric, &dto.Metric{Label: roleLabel(s.Role), Gauge: &dto.Gauge{Value: &alive}})
		for name, f := range shown[i] {
			if !proper(f) || name == upName {
				continue
			}
			for _, m := range f.Metric {
				m.Label = append(roleLabel(s.Role), m.Label...)
			}
			if have := all[name]; have == nil {
				all[name] = f
			} else if have.GetType() == f.GetType() {
				have.Metric = append(have.Metric, f.Metric...)
			}
		}
	}
	slices.SortFunc(up.Metric, func(a, b *dto.Metric) int { return strings.Compare(a.Label[0].GetValue(), b.Label[0].GetValue()) })
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := expfmt.MetricFamilyToText(out, all[name]); err != nil {
			return fault.Wrap(fault.Unavailable, err, "metrics")
		}
	}
	return nil
}

// proper reports whether a family can be written and read: a plain name, plain
// labels, each once and none of them ours, and values of the family's type.
func proper(f *dto.MetricFamily) bool {
	plain := model.LegacyValidation
	if !plain.IsValidMetricName(f.GetName()) {
		return false
	}
	for _, m := range f.Metric {
		seen := map[string]bool{"role": true}
		for _, l := range m.GetLabel() {
			if seen[l.GetName()] || !plain.IsValidLabelName(l.GetName()) {
				return false
			}
			seen[l.GetName()] = true
		}
	}
	_, err := expfmt.MetricFamilyToText(io.Discard, f)
	return err == nil
}

func roleLabel(role string) []*dto.LabelPair {
	name := "role"
	return []*dto.LabelPair{{Name: &name, Value: &role}}
}

func (s Source) families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	if s.Own != nil {
		list, err := s.Own.reg.Gather()
		out := map[string]*dto.MetricFamily{}
		for _, f := range list {
			out[f.GetName()] = f
		}
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	raw, err := s.Ask(ctx, http.MethodGet, "/metrics", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	if err != nil {
		return nil, err
	}
	out := map[string]*dto.MetricFamily{}
	read := protodelim.UnmarshalOptions{MaxSize: answerMax} // the library's decoder takes room for whatever length is said
	for from := bytes.NewReader(raw); ; {
		f := &dto.MetricFamily{}
		if err := read.UnmarshalFrom(from, f); err != nil {
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			return nil, fault.Wrap(fault.Unavailable, err, "metrics of a role")
		}
		out[f.GetName()] = f
	}
}
