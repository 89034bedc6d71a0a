/**
 * Signing in by OIDC: authorization code with PKCE. Tokens live in memory alone, so a script that
 * gets into the page finds none in storage; a reload goes by the issuer once more.
 */
import { InMemoryWebStorage, UserManager, WebStorageStateStore, type User } from 'oidc-client-ts';

import { SignedOutError } from '../../client';
import type { Settings } from '../../config/settings';

/** Who is signed in. */
export interface Person {
  /** The token's subject. */
  subject: string;
  /** The name shown. */
  name: string;
}

/** Where the person was before the way to the issuer. */
interface Return {
  room?: string;
}

export class Session {
  private readonly manager: UserManager;

  constructor(settings: Settings) {
    const here = `${window.location.origin}/`;
    this.manager = new UserManager({
      authority: settings.issuer,
      client_id: settings.clientId,
      redirect_uri: here,
      post_logout_redirect_uri: here,
      response_type: 'code',
      scope: 'openid profile',
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: window.sessionStorage }),
      automaticSilentRenew: false,
      loadUserInfo: false,
    });
  }

  /** Finishes a sign-in if this page load is the issuer's answer to one. */
  async resume(): Promise<{ person: Person; room: string | undefined } | undefined> {
    const query = new URLSearchParams(window.location.search);
    if (!query.has('state') || !(query.has('code') || query.has('error'))) return undefined;
    try {
      const user = await this.manager.signinRedirectCallback();
      return { person: personOf(user), room: (user.state as Return | undefined)?.room };
    } finally {
      window.history.replaceState(null, '', '/');
    }
  }

  /** Leaves for the issuer; comes back by `resume`. */
  async signIn(room?: string): Promise<void> {
    const hint = window.localStorage.getItem('roomcast.name');
    await this.manager.signinRedirect({
      state: room === undefined ? {} : { room },
      ...(hint === null ? {} : { login_hint: hint }),
    });
  }

  /** Forgets the tokens and ends the session at the issuer. */
  async signOut(): Promise<void> {
    await this.manager.signoutRedirect();
  }

  /** An access token that still holds for half a minute, fetched anew by the refresh token if need be. */
  async token(): Promise<string> {
    let user = await this.manager.getUser();
    if (user !== null && (user.expires_in ?? 0) < 30) user = await this.manager.signinSilent();
    if (user === null) throw new SignedOutError('signed out');
    return user.access_token;
  }
}

function personOf(user: User): Person {
  const name = user.profile.preferred_username ?? user.profile.name ?? user.profile.sub;
  window.localStorage.setItem('roomcast.name', name);
  return { subject: user.profile.sub, name };
}
