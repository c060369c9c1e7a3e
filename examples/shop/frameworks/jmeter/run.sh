#!/bin/sh
# JMeter without a window, against the shop at SHOP_URL (http://HOST:PORT); further words are JMeter's own, such as -l results.jtl -Jthreads=5.
# JMETER is the command; unless told, the one that `mvn package` puts into .jmeter. PLAN is the test plan.
# JMeter ends with 0 whatever the samples came to: the results tell.
set -eu
address=${SHOP_URL#http://}
address=${address%%/*}
# SHOP_SHOW_FAILURE=1 forgets the shipping, so that the samples of one name fail.
if [ "${SHOP_SHOW_FAILURE:-}" = 1 ]; then total=1250; else total=1740; fi
if [ -z "${JMETER:-}" ]; then
  mkdir -p .jmeter/lib/junit # JMeter complains where there is none
  JMETER='java -Djava.util.prefs.userRoot=.jmeter -jar .jmeter/bin/ApacheJMeter.jar'
fi
# Who says -n too, as a load test of several workers does, says it once.
case " $* " in *" -n "*) quiet= ;; *) quiet=--nongui ;; esac
# Port 0: no port that takes orders to stop, which would be open to the network.
exec $JMETER $quiet --testfile "${PLAN:-shop.jmx}" --jmeterlogfile "${JMETER_LOG:-jmeter.log}" -Jjmeterengine.nongui.port=0 \
  -Jhost="${address%%:*}" -Jport="${address##*:}" -Jtotal="$total" "$@"
