#!/bin/sh
# All that the user deploy may do on a server without an agent: environment production.
#
#   deploy   docker compose pull && docker compose up -d --remove-orphans
#   status   docker compose ps --all
#   rsync    into /var/www/talia-landing and nowhere else; nothing can be read
#
# What `deploy` does not do, and talia-agent does:
# - It has a gap: the old container ends before the new one answers.
# - It runs what `latest` names at that moment, whatever was meant.
# - It does not wait until the new one is healthy, and takes nothing back.
# - It makes no backup, keeps no record, and knows no rollback.
#
# What rsync into /var/www/talia-landing does not do, and talia-agent does:
# - Clients see files of two versions while it works, and what it has brought if it breaks.
# - Nobody fetches what is served, and an older commit or an edit by hand is not noticed.
# - A link leads nowhere: it could lead out of the folder.
#
# The file is /usr/local/lib/talia/deploy.sh, of root, mode 0755. It needs:
#   sshd      ForceCommand /usr/local/lib/talia/deploy.sh
#   sudoers   deploy ALL=(root) NOPASSWD: /usr/local/lib/talia/deploy.sh deploy, /usr/local/lib/talia/deploy.sh status
#   login     /etc/talia/production/docker/config.json, mode 0600, of root, to pull
#   rsync     /var/www/talia-landing belongs to deploy
#   serve     compose.override.yml beside the compose file publishes a port of 127.0.0.1, and
#             Nginx sends requests there: the agent alone gives a service its socket
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
export PATH LC_ALL

refuse() {
    printf 'deploy.sh: %s\n' "$1" >&2
    exit 4
}

# From sshd, with the user's own rights: sshd gives no arguments.
if [ $# -eq 0 ]; then
    case ${SSH_ORIGINAL_COMMAND-} in
    deploy | status) exec sudo -n -- /usr/local/lib/talia/deploy.sh "$SSH_ORIGINAL_COMMAND" ;;
    'rsync --server '*)
        # As the client asks, dry or not, and no option more: what follows the point is
        # its version's. With `--existing`, and dry, it asks what would be replaced.
        asked=${SSH_ORIGINAL_COMMAND#'rsync --server -'}
        options='--log-format=%i --delete-delay --delay-updates'
        case $asked in
        lprce.* | nlprce.*) letters=${asked%" $options . ./"} ;;
        nlpre.*) letters=${asked%" $options --existing . ./"} ;;
        *) letters='-' ;;
        esac
        case $letters in
        *[!A-Za-z.]*) refuse 'rsync may be asked for a landing deploy and nothing else' ;;
        esac
        # Held for as long as that rsync works: with its own lock rrsync would say less.
        exec 9< /var/www/talia-landing
        flock --nonblock 9 || refuse 'another rsync works on the landing page'
        # Links that come in lead nowhere.
        exec rrsync -wo -munge -no-lock /var/www/talia-landing
        ;;
    *) refuse 'this key may ask for deploy, status, and rsync into the landing page' ;;
    esac
fi

# From sudo, with root's rights.
cd /opt/talia-backend
DOCKER_CONFIG=/etc/talia/production/docker
export DOCKER_CONFIG
exec < /dev/null
case $1 in
deploy)
    # Held for as long as anything of this deploy works.
    exec 9>> lock
    flock --nonblock 9 || refuse 'another deploy works here'
    # A client that has gone ends nothing: Compose dies of a broken pipe, whatever is
    # trapped, so what it says goes by a reader that stays.
    trap '' PIPE
    exec 4>&2
    ended=$({
        if docker compose pull && docker compose up -d --remove-orphans; then
            echo 0 >&3
        else
            echo $? >&3
        fi 2>&1 | { cat >&4 || cat > /dev/null; }
    } 3>&1)
    exit "$ended"
    ;;
status) docker compose ps --all ;;
*) refuse 'it is not for hands' ;;
esac
