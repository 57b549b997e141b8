#!/usr/bin/env bash
# Makes the keys, signatures and commits in this folder anew, with git, ssh-keygen and gpg. All times
# are of 2024. Nothing secret is kept.
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.asc ./*.gpg ./*.sig ./*.commit allowed_signers
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gpg" --kill gpg-agent; rm -rf "$work"' EXIT
printf 'what was signed\n' >payload

# --- OpenPGP: CASE.asc is the keyring, CASE.sig the signature over payload.
export GNUPGHOME=$work/gpg
mkdir -m 700 "$GNUPGHOME"
at() { # at TIME gpg-arguments...
    gpg --batch --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' --no-auto-check-trustdb \
        --no-emit-version --faked-system-time "$1!" "${@:2}"
}
print() { gpg --batch --with-colons --list-keys "$1" | awk -F: '$1 == "fpr" {print $10; exit}'; }
key() { # key CASE ALGORITHM USAGE EXPIRY [gpg-options...]
    at 20240101T000000 "${@:5}" --quick-gen-key "$1" "$2" "$3" "$4"
}
sign() { # sign CASE [gpg-options...]
    at 20240110T000000 "${@:2}" --local-user "=$1" --armor --detach-sign --output - payload >"$1.sig"
}
export_key() { at 20240120T000000 --armor --export "=$1" >"$1.asc"; }
revoke() { # revoke CASE
    sed 's/^:-----/-----/' "$GNUPGHOME/openpgp-revocs.d/$(print "=$1").rev" >"$work/revocation"
    at 20240115T000000 --import "$work/revocation"
}

for name in good expired extended revoked; do
    case $name in expired | extended) expiry=20240201T000000 ;; *) expiry=never ;; esac
    key $name ed25519 sign $expiry
    sign $name
done
at 20240115T000000 --quick-set-expire "$(print =extended)" 20250101T000000
revoke revoked
for name in subkey revoked-subkey; do
    key $name ed25519 cert never
    at 20240102T000000 --quick-add-key "$(print =$name)" ed25519 sign never
    sign $name
done
printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' |
    at 20240115T000000 --command-fd 0 --status-fd 2 --edit-key =revoked-subkey 2>/dev/null
key rsa rsa2048 sign never
sign rsa
key sha1 rsa2048 sign never
sign sha1 --digest-algo SHA1
key short rsa1024 sign never
sign short
key weakly-bound rsa2048 sign never --cert-digest-algo SHA1
sign weakly-bound
for name in good expired extended revoked subkey revoked-subkey rsa sha1 short weakly-bound; do
    export_key $name
done
at 20240120T000000 --export =good >good.gpg

# --- ssh: KIND.ssh.sig is the signature over payload, allowed_signers has all the keys.
for kind in ed25519: ecdsa:256 rsa:2048 weak-rsa:1024; do
    name=${kind%%:*} bits=${kind##*:}
    ssh-keygen -q -t "${name#weak-}" ${bits:+-b "$bits"} -N '' -C "$name" -f "$work/$name"
    ssh-keygen -q -Y sign -n git -f "$work/$name" <payload >"$name.ssh.sig"
    printf '%s@example.com namespaces="git" %s\n' "$name" "$(cat "$work/$name.pub")" >>allowed_signers
done
ssh-keygen -q -Y sign -n file -f "$work/ed25519" <payload >file.ssh.sig

# --- Whole commits, as git stores them.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_DATE=2024-01-10T00:00:00Z GIT_COMMITTER_DATE=2024-01-10T00:00:00Z
git init --quiet "$work/repository"
cd "$work/repository"
git config user.name Ada
git config user.email ada@example.com
git config user.signingkey "$work/ed25519"
git -c gpg.format=ssh commit --quiet --allow-empty -S -m $'subject\n\nbody'
git cat-file commit HEAD >"$OLDPWD/ssh.commit"
printf '#!/bin/sh\nexec gpg --faked-system-time 20240110T000000! "$@"\n' >"$work/program"
chmod +x "$work/program"
git -c gpg.program="$work/program" -c user.signingkey="=good" \
    commit --quiet --allow-empty -S -m $'subject\n\nbody'
git cat-file commit HEAD >"$OLDPWD/openpgp.commit"
