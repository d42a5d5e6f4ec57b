package stand

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/link"
	"vedetta/ops/panel/load"
	"vedetta/ops/pki"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Customers of the bench have panels and nothing else: no contact, no rule.
const (
	customers        = 20
	panelsOfCustomer = 50
)

// addCustomers puts the bench's customers into the mesh as central would: with a
// certificate of its role, over the same calls. It returns their panels; every
// second has a key.
func (m *Stand) addCustomers(ctx context.Context) error {
	dir := filepath.Join(m.Dir, "pki")
	who := link.Identity{Name: "bench", Role: link.RoleCentral}
	if err := pki.Issue(dir, who, nil, filepath.Join(dir, who.Name)); err != nil {
		return err
	}
	nodes := map[string]string{}
	for _, n := range m.Nodes {
		host, port, err := net.SplitHostPort(n.DC09)
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return err
		}
		nodes[n.Name] = net.JoinHostPort(host, strconv.Itoa(number+1)) // the offset table of `local up`
	}
	client, err := link.NewClient(link.ClientConfig{
		Nodes: nodes, CertFile: filepath.Join(dir, who.Name, "cert.pem"),
		KeyFile: filepath.Join(dir, who.Name, "key.pem"), CAFile: filepath.Join(dir, "ca.pem"),
	}, env.Quiet(1))
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	defer func() {
		stop()
		<-ended
	}()
	at := m.Nodes[0].Name
	if err := client.Wait(ctx, at); err != nil {
		return fmt.Errorf("bench customers: %s: %w", at, err)
	}
	run := rand.Text()[:6]
	for c := range customers {
		id := fmt.Sprintf("bench-%02d", c)
		k, err := openCustomer(ctx, client, at, id)
		if err != nil {
			return err
		}
		doc := roster.Customer{ID: id, Language: "it", Contacts: []roster.Contact{}, Rules: []roster.Rule{}}
		for i := range panelsOfCustomer {
			n := c*panelsOfCustomer + i
			v := roster.Panel{ID: fmt.Sprintf("bench-panel-%04d", n), Name: "Bench", Listener: "main", Account: fmt.Sprintf("BE%06d", n),
				PollSeconds: 0, GraceSeconds: 30, TimeZone: "Europe/Rome", Zones: []roster.Zone{}}
			if n%2 == 1 {
				v.Key = make([]byte, 16)
				rand.Read(v.Key)
			}
			doc.Panels = append(doc.Panels, v)
			p, err := load.NewPanel(v.Account, "~"+run+strconv.Itoa(n)+".", v.Key)
			if err != nil {
				return err
			}
			m.Panels = append(m.Panels, p)
		}
		plain, err := roster.Marshal(doc)
		if err != nil {
			return err
		}
		request, err := json.Marshal(map[string]any{"customer": id, "revision": 1, "sealed": seal.SealColumn(k, "roster", plain)})
		if err != nil {
			return err
		}
		if _, err := client.Call(ctx, at, "central.put", request); err != nil {
			return fmt.Errorf("put roster of %s: %w", id, err)
		}
	}
	return nil
}

// openCustomer has the mesh make a customer's keys.
func openCustomer(ctx context.Context, client *link.Client, node, id string) (k seal.Key, err error) {
	request, err := json.Marshal(map[string]string{"customer": id})
	if err != nil {
		return k, err
	}
	answer, err := client.Call(ctx, node, "central.open", request)
	if err != nil {
		return k, fmt.Errorf("open customer %s: %w", id, err)
	}
	var in struct {
		ID       []byte `json:"id"`
		Data     []byte `json:"data"`
		Identity []byte `json:"identity"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return k, err
	}
	copy(k.ID[:], in.ID)
	copy(k.Data[:], in.Data)
	copy(k.Identity[:], in.Identity)
	return k, nil
}
