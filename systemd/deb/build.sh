#!/usr/bin/env bash
# Builds postern_VERSION_ARCH.deb beside package.json: the built program, its production dependencies, the units.
# Needs dpkg-deb and the npm registry (or its cache). `npm run deb` compiles first.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(node -p 'require("./package.json").version')
arch=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"

lib=$stage/usr/lib/postern
mkdir -p "$lib"
cp package.json package-lock.json "$lib"
(cd "$lib" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent)
cp -r dist "$lib"
rm -f "$lib/dist/.tsbuildinfo" "$lib/package-lock.json"
# Binaries of other systems are of no use here.
node_arch=$(node -p process.arch)
find "$lib/node_modules" -path '*/prebuilds/*' -prune -mindepth 1 ! -name "linux-$node_arch" -exec rm -rf {} +

install -d "$stage"/usr/{bin,lib/{systemd/system,sysusers.d},share/doc/postern/examples} "$stage/etc/postern"
chmod 755 "$lib/dist/main.js"
ln -s ../lib/postern/dist/main.js "$stage/usr/bin/postern"
for unit in postern.service postern.socket postern-tcp.socket postern-diag.socket; do
  install -m 644 "systemd/$unit" "$stage/usr/lib/systemd/system/"
done
install -m 644 systemd/postern.sysusers.conf "$stage/usr/lib/sysusers.d/postern.conf"
install -m 644 systemd/postern.toml "$stage/etc/postern/"
install -m 644 README.md "$stage/usr/share/doc/postern/"
install -m 644 LICENSE "$stage/usr/share/doc/postern/copyright"
install -m 644 systemd/postern-remote.socket systemd/remote.conf systemd/remote-tls.conf systemd/upstream.conf systemd/grafana-dashboard.json "$stage/usr/share/doc/postern/examples/"

mkdir "$stage/DEBIAN"
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$(du -sk "$stage" | cut -f1)/" systemd/deb/control >"$stage/DEBIAN/control"
echo /etc/postern/postern.toml >"$stage/DEBIAN/conffiles"
install -m 755 systemd/deb/{preinst,postinst,prerm,postrm} "$stage/DEBIAN/"

chmod -R u+rwX,go+rX,go-w "$stage"
dpkg-deb --root-owner-group --build "$stage" "postern_${version}_${arch}.deb"
