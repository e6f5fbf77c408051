// The dashboard: a list of policies when there are several, and the panel of the one that is looked at.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { keyOf, type Live, nothingYet, watchLive } from './live.ts';
import { PolicyPanel } from './policy-panel.tsx';
import './style.css';

function Dashboard() {
  const [live, setLive] = useState<Live>(nothingYet);
  const [chosen, choose] = useState(decodeURIComponent(location.hash.slice(1)));
  useEffect(() => watchLive(setLive), []);
  useEffect(() => {
    const moved = () => choose(decodeURIComponent(location.hash.slice(1)));
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);

  const policy = live.policies.find((each) => keyOf(each) === chosen) ?? live.policies[0];
  return (
    <>
      <header class="top">
        <h1>KubeAI Autoscaler</h1>
        <span class={`pulse ${live.connected ? 'on' : 'off'}`}>
          {live.connected ? `live, ${new Date(live.at || Date.now()).toLocaleTimeString('en-GB')}` : 'not connected'}
          {!live.leading && ', another replica leads'}
        </span>
      </header>
      {live.policies.length > 1 && (
        <nav>
          {live.policies.map((each) => (
            <a href={`#${encodeURIComponent(keyOf(each))}`} class={each === policy ? 'chosen' : ''}>
              <span class={`dot ${each.ready.status === 'True' ? 'good' : 'bad'}`} />
              {keyOf(each)} <b>{each.replicas?.current ?? '–'}</b>
            </a>
          ))}
        </nav>
      )}
      {policy === undefined ? (
        <p class="empty">
          {live.connected
            ? 'There is no policy yet. Apply one: kubectl apply -f policy.yaml'
            : 'Waiting for the controller …'}
        </p>
      ) : (
        <PolicyPanel
          key={keyOf(policy)}
          policy={policy}
          points={live.trails.get(keyOf(policy)) ?? []}
          states={live.states}
        />
      )}
    </>
  );
}

render(<Dashboard />, document.querySelector('main')!);
