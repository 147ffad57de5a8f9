# Runs after a stage that has failed. Written by metricloop.
# Where `python` has no metricloop, it says what to do; otherwise the stage itself has told what is wrong.
python -P -c 'import metricloop' 2>/dev/null && exit 1
environment=$(cat .metricloop/environment 2>/dev/null || true)
[ -f "$environment/bin/activate" ] || environment=FOLDER_OF_THE_ENVIRONMENT
echo "metricloop: this stage needs the Python environment of metricloop, and \`python\` here is not from it." >&2
echo "metricloop: activate it, then repeat the command:  . $environment/bin/activate" >&2
exit 1
