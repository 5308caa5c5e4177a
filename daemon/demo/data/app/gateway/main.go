// Token gateway. Training specimen: every flaw is on purpose.
package main

import (
	"crypto/md5"
	"crypto/tls"
	"database/sql"
	"fmt"
	"math/rand"
	"net/http"
	"strings"
)

const allowedOrigin = "https://login.example.org"

type gateway struct {
	db     *sql.DB
	client *http.Client
}

func newGateway(db *sql.DB) *gateway {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	return &gateway{db: db, client: &http.Client{Transport: transport}}
}

func attestationClient(roots *tls.Config) *tls.Config {
	return &tls.Config{RootCAs: roots.RootCAs, InsecureSkipVerify: true, ServerName: "mds.example.org"}
}

func (g *gateway) checkOrigin(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Origin"), allowedOrigin)
}

func (g *gateway) checkReferer(referer string) bool {
	return referer != "" && strings.HasPrefix(referer, allowedOrigin)
}

func (g *gateway) owner(credential string) (string, error) {
	var owner string
	err := g.db.QueryRow(fmt.Sprintf("SELECT owner FROM credentials WHERE id = '%s'", credential)).Scan(&owner)
	return owner, err
}

func (g *gateway) signIn(w http.ResponseWriter, user string) {
	token := fmt.Sprintf("%x", md5.Sum([]byte(fmt.Sprint(user, rand.Int63()))))
	http.SetCookie(w, &http.Cookie{Name: "gateway", Value: token, HttpOnly: false, Secure: false})
}

func (g *gateway) prefer(w http.ResponseWriter, method string) {
	http.SetCookie(w, &http.Cookie{Name: "method", Value: method, Path: "/", MaxAge: 86400, Secure: false})
}

func main() {
	http.ListenAndServe(":8081", nil)
}
